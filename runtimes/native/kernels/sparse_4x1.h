// Block-sparse matrix times tile: blocks of 4 rows (or a multiple) that share a column.
//
// A column of the tile is loaded once for 4 rows of sums, which stay in registers: 4 V multiply-adds for V + 4 loads.
#pragma once

#include "kernels/gelu.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// Blocks between a prefetch and its use: a wide matrix's tile outgrows the second-level cache.
constexpr size_t kBlocksAhead = 8;

template <int V>
struct Multiply4x1 {
  // Out of line: each V then has the registers to itself.
  __attribute__((noinline)) static void run(const Blocks4x1& matrix, size_t first, size_t last, Activation activation,
                                            const float* x, float* y) {
    auto* out = reinterpret_cast<Vector*>(y);
    const size_t block_rows = matrix.block_rows;
    const size_t blocks = matrix.starts[last];
    // Beyond it nothing is far enough ahead.
    const uint16_t* const last_ahead = matrix.columns + (blocks > kBlocksAhead ? blocks - kBlocksAhead : 0);
    for (size_t block_row = first; block_row < last; ++block_row) {
      const uint16_t* const begin = matrix.columns + matrix.starts[block_row];
      const uint16_t* const end = matrix.columns + matrix.starts[block_row + 1];
      for (size_t part = 0; part < block_rows; part += 4, out += 4 * V) {
        const float* bias = matrix.bias + block_row * block_rows + part;
        Vector sum[4][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) sum[r][v] = broadcast(bias[r]);
        }
        const float* values = matrix.values + matrix.starts[block_row] * block_rows + part;
        const uint16_t* column = begin;
        const uint16_t* const middle = end < last_ahead ? end : last_ahead;
        for (; column < middle; ++column, values += block_rows) {
          prefetch(x, column[kBlocksAhead]);
          add(sum, x, *column, values);
        }
        for (; column < end; ++column, values += block_rows) add(sum, x, *column, values);
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) out[r * V + v] = sum[r][v];
        }
      }
    }
    activate(activation, reinterpret_cast<Vector*>(y), (last - first) * block_rows * V);
  }

 private:
  static inline const Vector* at(const float* x, uint16_t column) {
    return reinterpret_cast<const Vector*>(x) + size_t{column} * V;
  }

  static inline void prefetch(const float* x, uint16_t column) {
    const Vector* next = at(x, column);
    __builtin_prefetch(next);
    if constexpr (sizeof(Vector[V]) > 64) __builtin_prefetch(next + V - 1);
  }

  static inline void add(Vector (&sum)[4][V], const float* x, uint16_t column, const float* values) {
    const Vector* features = at(x, column);
    KAPRUNE_UNROLL
    for (int r = 0; r < 4; ++r) {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) sum[r][v] += features[v] * values[r];
    }
  }
};

inline void multiply_4x1(const Blocks4x1& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                         const float* x, float* y) {
  with_vectors<Multiply4x1>(vectors, matrix, first, last, activation, x, y);
}

}  // namespace kaprune::KAPRUNE_ISA
