// ai.kaprune::SparseFeedForward, version 1: Y = layer_norm(X + W2 . activation(W1 . X + b1) + b2).
// docs/format.md specifies it.
#pragma once

#include "matrix/sparse_matrix.h"
#include "operators/inputs.h"
#include "operators/residual_norm.h"
#include "ort/operator.h"

namespace kaprune {

class SparseFeedForward {
 public:
  static constexpr const char* kName = "SparseFeedForward";
  // X, intermediate, output, gamma and beta.
  static constexpr auto kInputs =
      joined(float_inputs<1>(), kPackedInputs, kPackedInputs, float_inputs<2>());

  explicit SparseFeedForward(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  Activation activation_;
  SparseMatrix intermediate_;
  SparseMatrix output_;
  ResidualNorm norm_;
};

}  // namespace kaprune
