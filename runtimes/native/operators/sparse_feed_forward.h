// ai.kaprune::SparseFeedForward, version 1: Y = layer_norm(X + W2 . activation(W1 . X + b1) + b2).
// docs/format.md specifies it.
#pragma once

#include "matrix/sparse_matrix.h"
#include "operators/residual_norm.h"
#include "ort/operator.h"

namespace kaprune {

class SparseFeedForward {
 public:
  static constexpr const char* kName = "SparseFeedForward";
  static constexpr ort::Input kInputs[] = {
      {ort::ElementType::kFloat},                // X
      {ort::ElementType::kFloat},                // intermediate_values
      {ort::ElementType::kInt32},                // intermediate_crow_indices
      {ort::ElementType::kAny},                  // intermediate_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // intermediate_scales
      {ort::ElementType::kFloat},                // intermediate_bias
      {ort::ElementType::kFloat},                // output_values
      {ort::ElementType::kInt32},                // output_crow_indices
      {ort::ElementType::kAny},                  // output_col_indices
      {ort::ElementType::kAny, ort::kOptional},  // output_scales
      {ort::ElementType::kFloat},                // output_bias
      {ort::ElementType::kFloat},                // gamma
      {ort::ElementType::kFloat},                // beta
  };

  explicit SparseFeedForward(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  Activation activation_;
  SparseMatrix intermediate_;
  SparseMatrix output_;
  ResidualNorm norm_;
};

}  // namespace kaprune
