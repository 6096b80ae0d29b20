// ai.kaprune::SparseAttention, version 1: Y = layer_norm(X + Wo . attention(Wq . X, Wk . X, Wv . X) + bo).
// docs/format.md specifies it.
#pragma once

#include "matrix/sparse_matrix.h"
#include "operators/residual_norm.h"
#include "ort/operator.h"

namespace kaprune {

class SparseAttention {
 public:
  static constexpr const char* kName = "SparseAttention";
  static constexpr ort::Input kInputs[] = {
      {ort::ElementType::kFloat},                // X
      {ort::ElementType::kFloat},                // mask
      {ort::ElementType::kFloat},                // position_bias
      {ort::ElementType::kFloat},                // query_values
      {ort::ElementType::kInt32},                // query_crow_indices
      {ort::ElementType::kAny},                  // query_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // query_scales
      {ort::ElementType::kFloat},                // query_bias
      {ort::ElementType::kFloat},                // key_values
      {ort::ElementType::kInt32},                // key_crow_indices
      {ort::ElementType::kAny},                  // key_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // key_scales
      {ort::ElementType::kFloat},                // key_bias
      {ort::ElementType::kFloat},                // value_values
      {ort::ElementType::kInt32},                // value_crow_indices
      {ort::ElementType::kAny},                  // value_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // value_scales
      {ort::ElementType::kFloat},                // value_bias
      {ort::ElementType::kFloat},                // output_values
      {ort::ElementType::kInt32},                // output_crow_indices
      {ort::ElementType::kAny},                  // output_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // output_scales
      {ort::ElementType::kFloat},                // output_bias
      {ort::ElementType::kFloat},                // gamma
      {ort::ElementType::kFloat},                // beta
  };

  explicit SparseAttention(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  size_t heads_;
  float scale_;
  SparseMatrix query_;
  SparseMatrix key_;
  SparseMatrix value_;
  SparseMatrix output_;
  ResidualNorm norm_;
};

}  // namespace kaprune
