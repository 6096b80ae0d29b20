// ai.kaprune::SparseLinear, version 1: Y = activation(X . W^T + bias). docs/format.md specifies it.
#pragma once

#include "matrix/sparse_matrix.h"
#include "ort/operator.h"

namespace kaprune {

class SparseLinear {
 public:
  static constexpr const char* kName = "SparseLinear";
  static constexpr ort::Input kInputs[] = {
      {ort::ElementType::kFloat},                // X
      {ort::ElementType::kFloat},                // values
      {ort::ElementType::kInt32},                // crow_indices
      {ort::ElementType::kAny},                  // col_indices
      {ort::ElementType::kAny, ort::kOptional},  // scales
      {ort::ElementType::kFloat},                // bias
  };

  explicit SparseLinear(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  Activation activation_;
  SparseMatrix matrix_;
};

}  // namespace kaprune
