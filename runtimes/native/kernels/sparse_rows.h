// What training a sparse matrix takes: its product with a tile, and the gradient of its weights. Their values change with
// every step, so that they are used as they come, row by row.
#pragma once

#include <cstddef>

#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

constexpr int kTrainingVectors = kTrainingTokens / kLanes;

inline void multiply_rows(const SparseRows& matrix, const float* bias, const float* x, float* y) {
  const auto* x_columns = reinterpret_cast<const Vector*>(x);
  auto* out = reinterpret_cast<Vector*>(y);
  for (size_t row = 0; row < matrix.rows; ++row, out += kTrainingVectors) {
    Vector sum[kTrainingVectors];
    KAPRUNE_UNROLL
    for (Vector& each : sum) each = broadcast(bias == nullptr ? 0 : bias[row]);
    for (int32_t i = matrix.starts[row]; i < matrix.starts[row + 1]; ++i) {
      const Vector* column = x_columns + matrix.columns[i] * std::ptrdiff_t{kTrainingVectors};
      const float value = matrix.values[i];
      KAPRUNE_UNROLL
      for (int v = 0; v < kTrainingVectors; ++v) sum[v] += column[v] * value;
    }
    KAPRUNE_UNROLL
    for (int v = 0; v < kTrainingVectors; ++v) out[v] = sum[v];
  }
}

// Four weights of a row share each load of dy; a weight is taken again where fewer are left.
inline void add_gradient(const SparseRows& matrix, size_t tiles, const float* x, size_t columns, const float* dy,
                         float* gradient) {
  const size_t x_tile = columns * kTrainingVectors;
  const size_t dy_tile = matrix.rows * kTrainingVectors;
  for (size_t row = 0; row < matrix.rows; ++row) {
    const auto* of_row = reinterpret_cast<const Vector*>(dy) + row * kTrainingVectors;
    const int32_t end = matrix.starts[row + 1];
    for (int32_t first = matrix.starts[row]; first < end; first += 4) {
      const Vector* column[4];
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t weight = first + i < end ? first + i : first;
        column[i] = reinterpret_cast<const Vector*>(x) + matrix.columns[weight] * std::ptrdiff_t{kTrainingVectors};
      }
      Vector sum[4]{};
      for (size_t tile = 0; tile < tiles; ++tile) {
        KAPRUNE_UNROLL
        for (int v = 0; v < kTrainingVectors; ++v) {
          const Vector of_tokens = of_row[tile * dy_tile + v];
          KAPRUNE_UNROLL
          for (int i = 0; i < 4; ++i) sum[i] += column[i][tile * x_tile + v] * of_tokens;
        }
      }
      for (int32_t i = 0; i < 4 && first + i < end; ++i) gradient[first + i] += sum_of_lanes(sum[i]);
    }
  }
}

}  // namespace kaprune::KAPRUNE_ISA
