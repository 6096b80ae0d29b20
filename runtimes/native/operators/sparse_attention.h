// ai.kaprune::SparseAttention, version 1: Y = layer_norm(X + Wo . attention(Wq . X, Wk . X, Wv . X) + bo).
// docs/format.md specifies it.
#pragma once

#include <array>

#include "matrix/sparse_matrix.h"
#include "operators/inputs.h"
#include "operators/residual_norm.h"
#include "ort/operator.h"

namespace kaprune {

class SparseAttention {
 public:
  static constexpr const char* kName = "SparseAttention";
  // X, mask, position_bias; query, key, value, output; gamma, beta.
  static constexpr auto kInputs =
      joined(float_inputs<3>(), kPackedInputs, kPackedInputs, kPackedInputs, kPackedInputs, float_inputs<2>());

  explicit SparseAttention(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  using Projections = std::array<PackedMatrix, 3>;  // query, key, value

  SparseAttention(const ort::KernelInfo& info, const Projections& projections);

  size_t heads_;
  float scale_;
  SparseMatrix query_;
  SparseMatrix key_;
  SparseMatrix value_;
  SparseMatrix output_;
  ResidualNorm norm_;
};

}  // namespace kaprune
