// The end of each half of an encoder layer: layer_norm(X + Y).
#pragma once

#include "operators/tiles.h"
#include "ort/operator.h"

namespace kaprune {

struct ResidualNorm {
  const float* gamma;  // [features]
  const float* beta;
  float epsilon;

  // Reads gamma, input `first_input`, and beta, the one after, and the attribute `epsilon`; throws ort::Error.
  static ResidualNorm read(const ort::KernelInfo& info, size_t first_input, size_t features);

  // Normalizes x + y and writes it as rows of tokens; y is used up.
  void finish(const ort::KernelContext& context, const Tiles& x, const Tiles& y, float* rows) const;
};

}  // namespace kaprune
