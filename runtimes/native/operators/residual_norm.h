// The end of each half of an encoder layer: layer_norm(X + Y).
#pragma once

#include "kernels/kernels.h"
#include "matrix/tiling.h"
#include "ort/operator.h"

namespace kaprune {

struct ResidualNorm {
  const float* gamma;  // [features]
  const float* beta;
  float epsilon;

  // Reads gamma, input `first_input`, and beta, the one after, and the attribute `epsilon`; throws ort::Error.
  static ResidualNorm read(const ort::KernelInfo& info, size_t first_input, size_t features);

  // Normalizes x + y, tiles of `features`, and writes it as rows of tokens; y is used up.
  void finish(const Kernels& kernels, const Tile& tile, size_t features, const float* x, float* y, float* rows) const;
};

}  // namespace kaprune
