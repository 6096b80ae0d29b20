// Sparse matrix times tile: single weights, four rows at a time.
//
// One row alone would wait for its own sums (a multiply-add takes 4 cycles); four rows give 4 V independent ones.
#pragma once

#include "kernels/gelu.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

template <int V>
struct Multiply1x1 {
  static void run(const Interleaved1x1& matrix, Activation activation, const float* x, float* y) {
    auto* rows_of_y = reinterpret_cast<Vector*>(y);
    for (size_t s = 0; s < matrix.slab_count; ++s) {
      const Interleaved1x1::Slab& slab = matrix.slabs[s];
      const auto* columns_of_x = reinterpret_cast<const Vector*>(x) + size_t{slab.first_column} * V;
      const Activation now = s + 1 == matrix.slab_count ? activation : Activation::kNone;
      for (size_t group = slab.first_group; group < slab.last_group; ++group) {
        const uint32_t* rows = matrix.rows + group * 4;
        Vector sum[4][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) {
            sum[r][v] = s == 0 ? broadcast(matrix.bias[rows[r]]) : rows_of_y[size_t{rows[r]} * V + v];
          }
        }
        const size_t end = matrix.starts[group + 1];
        for (size_t step = matrix.starts[group]; step < end; ++step) {
          KAPRUNE_UNROLL
          for (int r = 0; r < 4; ++r) {
            const Vector* column = columns_of_x + size_t{matrix.columns[step * 4 + r]} * V;
            const float value = matrix.values[step * 4 + r];
            KAPRUNE_UNROLL
            for (int v = 0; v < V; ++v) sum[r][v] += column[v] * value;
          }
        }
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          Vector* out = rows_of_y + size_t{rows[r]} * V;
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) out[v] = sum[r][v];
          activate(now, out, V);
        }
      }
    }
  }
};

inline void multiply_1x1(const Interleaved1x1& matrix, Activation activation, size_t vectors, const float* x,
                         float* y) {
  with_vectors<Multiply1x1>(vectors, matrix, activation, x, y);
}

}  // namespace kaprune::KAPRUNE_ISA
