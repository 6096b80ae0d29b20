// ai.kaprune::SparseLinear, version 1: Y = activation(X . W^T + bias). docs/format.md specifies it.
#pragma once

#include "matrix/sparse_matrix.h"
#include "operators/inputs.h"
#include "ort/operator.h"

namespace kaprune {

class SparseLinear {
 public:
  static constexpr const char* kName = "SparseLinear";
  // X, W.
  static constexpr auto kInputs =
      joined(float_inputs<1>(), kPackedInputs);

  explicit SparseLinear(const ort::KernelInfo& info);

  void compute(const ort::KernelContext& context) const;

 private:
  Activation activation_;
  SparseMatrix matrix_;
};

}  // namespace kaprune
