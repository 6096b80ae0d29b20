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
    const auto* x_columns = reinterpret_cast<const Vector*>(x);
    auto* out = reinterpret_cast<Vector*>(y);
    const uint16_t* columns = matrix.columns;
    const size_t block_rows = matrix.block_rows;
    const size_t last_block = matrix.starts[last];
    for (size_t block_row = first; block_row < last; ++block_row) {
      const size_t start = matrix.starts[block_row];
      const size_t end = matrix.starts[block_row + 1];
      for (size_t part = 0; part < block_rows; part += 4, out += 4 * V) {
        const float* bias = matrix.bias + block_row * block_rows + part;
        Vector sum[4][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) sum[r][v] = broadcast(bias[r]);
        }
        const float* values = matrix.values + start * block_rows;
        for (size_t block = start; block < end; ++block, values += block_rows) {
          const size_t ahead = block + kBlocksAhead < last_block ? block + kBlocksAhead : block;
          const Vector* next = x_columns + size_t{columns[ahead]} * V;
          __builtin_prefetch(next);
          if constexpr (sizeof(Vector[V]) > 64) __builtin_prefetch(next + V - 1);

          const Vector* column = x_columns + size_t{columns[block]} * V;
          KAPRUNE_UNROLL
          for (int r = 0; r < 4; ++r) {
            KAPRUNE_UNROLL
            for (int v = 0; v < V; ++v) sum[r][v] += column[v] * values[part + r];
          }
        }
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) out[r * V + v] = sum[r][v];
        }
        activate(activation, out, 4 * V);
      }
    }
  }
};

inline void multiply_4x1(const Blocks4x1& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                         const float* x, float* y) {
  with_vectors<Multiply4x1>(vectors, matrix, first, last, activation, x, y);
}

}  // namespace kaprune::KAPRUNE_ISA
