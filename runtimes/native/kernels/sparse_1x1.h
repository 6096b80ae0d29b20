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
  // Out of line: each V then has the registers to itself.
  __attribute__((noinline)) static void run(const Interleaved1x1& matrix, Activation activation, const float* x,
                                            float* y) {
    for (size_t s = 0; s < matrix.slab_count; ++s) {
      const Interleaved1x1::Slab& slab = matrix.slabs[s];
      const auto* slab_of_x = opaque(reinterpret_cast<const Vector*>(x) + size_t{slab.first_column} * V);
      for (size_t group = slab.first_group; group < slab.last_group; ++group) {
        const size_t start = matrix.starts[group];
        const size_t end = matrix.starts[group + 1];
        const uint32_t* rows = matrix.rows + group * 4;
        Vector sum[4][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) {
            sum[r][v] = s == 0 ? broadcast(matrix.bias[rows[r]])
                               : reinterpret_cast<const Vector*>(y)[size_t{rows[r]} * V + v];
          }
        }
        add_products(matrix.values + start * 4, matrix.columns + start * 4, end - start, slab_of_x, sum);
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          Vector* out = reinterpret_cast<Vector*>(y) + size_t{rows[r]} * V;
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) out[v] = sum[r][v];
        }
      }
    }
    activate(activation, reinterpret_cast<Vector*>(y), (matrix.slabs[0].last_group - matrix.slabs[0].first_group) * 4 * V);
  }

 private:
  static inline void add_products(const float* values, const uint16_t* columns, size_t steps, const Vector* x,
                                  Vector (&sum)[4][V]) {
    for (const float* end = values + steps * 4; values != end; values += 4, columns += 4) {
      const Vector weights = load_weights(values);
      uint64_t ids;  // one load for the four columns: loads are what this loop has most of
      __builtin_memcpy(&ids, columns, sizeof ids);
      add_product(weight<0>(weights), x + (ids & 0xFFFF) * V, sum[0]);
      add_product(weight<1>(weights), x + (ids >> 16 & 0xFFFF) * V, sum[1]);
      add_product(weight<2>(weights), x + (ids >> 32 & 0xFFFF) * V, sum[2]);
      add_product(weight<3>(weights), x + (ids >> 48) * V, sum[3]);
    }
  }

  static inline void add_product(Vector weight, const Vector* x, Vector (&sum)[V]) {
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) sum[v] += x[v] * weight;
  }
};

inline void multiply_1x1(const Interleaved1x1& matrix, Activation activation, size_t vectors, const float* x,
                         float* y) {
  with_vectors<Multiply1x1>(vectors, matrix, activation, x, y);
}

}  // namespace kaprune::KAPRUNE_ISA
