// Block-sparse matrix of integers times tile of integers: blocks of 4 rows (or a multiple) that share a column.
//
// `kDotInputs` blocks of a block row are taken at a time: their columns are interleaved once for 4 rows.
#pragma once

#include "kernels/dot.h"
#include "kernels/gelu.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

template <int V, int... Row>
inline void dot_rows(IntVector (&sums)[4][V], const IntVector (&tokens)[kDotInputs], FourWeights weights,
                     std::integer_sequence<int, Row...>) {
  const auto row = [&](auto number) {
    constexpr int kRow = decltype(number)::value;
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) dot<kRow>(sums[kRow][v], tokens[v], weights);
  };
  (row(std::integral_constant<int, Row>()), ...);
}

template <int V>
struct MultiplyInt8 {
  // Out of line: each V then has the registers to itself.
  __attribute__((noinline)) static void run(const Integers4x1& matrix, size_t first, size_t last, Activation activation,
                                            const float* x, float* y) {
    Vector steps[V];
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) steps[v] = reinterpret_cast<const Vector*>(x)[v];
    const auto* tile = reinterpret_cast<const char*>(x);
    auto* out = reinterpret_cast<Vector*>(y);
    const uint32_t* columns = matrix.columns + matrix.starts[first] * kDotInputs;
    const int32_t* weights = matrix.weights + matrix.starts[first] * matrix.block_rows;
    size_t row = first * matrix.block_rows;
    for (size_t block_row = first; block_row < last; ++block_row) {
      const uint32_t* const begin = columns;
      const uint32_t* const end = matrix.columns + matrix.starts[block_row + 1] * kDotInputs;
      for (const size_t next = row + matrix.block_rows; row < next; row += 4, out += 4 * V) {
        IntVector sums[4][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) sums[r][v] = IntVector{} + matrix.initial[row + r];
        }
        for (columns = begin; columns < end; columns += kDotInputs, weights += 4) {
          IntVector features[kDotInputs];
          IntVector tokens[kDotInputs];
          KAPRUNE_UNROLL
          for (size_t i = 0; i < kDotInputs; ++i) {
            features[i] = *reinterpret_cast<const IntVector*>(tile + columns[i]);
          }
          interleave(features, tokens);
          dot_rows(sums, tokens, load_four(weights), std::make_integer_sequence<int, 4>());
        }
        KAPRUNE_UNROLL
        for (int r = 0; r < 4; ++r) {
          const float scale = matrix.scales[row + r];
          const float bias = matrix.bias[row + r];
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) {
            out[r * V + v] = __builtin_convertvector(sums[r][v], Vector) * (steps[v] * scale) + bias;
          }
        }
        activate(activation, out, 4 * V);
      }
    }
  }
};

inline void multiply_int8(const Integers4x1& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                          const float* x, float* y) {
  with_vectors<MultiplyInt8, kDotVectors>(vectors, matrix, first, last, activation, x, y);
}

}  // namespace kaprune::KAPRUNE_ISA
