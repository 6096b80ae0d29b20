// Block-sparse matrix of integers times tile of integers: blocks of 4 rows (or a multiple) that share a column.
//
// `kDotInputs` blocks of a block row are taken at a time: their columns are interleaved once for 4 rows.
#pragma once

#include "kernels/dot.h"
#include "kernels/gelu.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

template <int... Row>
inline void dot_rows(IntVector (&sums)[4][kDotInputs], const IntVector (&tokens)[kDotInputs], FourWeights weights,
                     std::integer_sequence<int, Row...>) {
  const auto row = [&](auto number) {
    constexpr int kRow = decltype(number)::value;
    KAPRUNE_UNROLL
    for (size_t v = 0; v < kDotInputs; ++v) dot<kRow>(sums[kRow][v], tokens[v], weights);
  };
  (row(std::integral_constant<int, Row>()), ...);
}

inline void multiply_int8(const Integers4x1& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                          const float* x, float* y) {
  const auto* step_sizes = reinterpret_cast<const Vector*>(x);
  const auto* rows = reinterpret_cast<const IntVector*>(x) + kDotInputs;
  auto* out = reinterpret_cast<Vector*>(y);
  const size_t block_rows = matrix.block_rows;
  for (size_t block_row = first; block_row < last; ++block_row) {
    const uint16_t* const end = matrix.columns + matrix.starts[block_row + 1] * kDotInputs;
    for (size_t part = 0; part < block_rows; part += 4, out += 4 * vectors) {
      IntVector sums[4][kDotInputs];
      KAPRUNE_UNROLL
      for (size_t r = 0; r < 4; ++r) {
        KAPRUNE_UNROLL
        for (size_t v = 0; v < kDotInputs; ++v) sums[r][v] = IntVector{};
      }
      const int32_t* weights = matrix.weights + matrix.starts[block_row] * block_rows + part;
      for (const uint16_t* columns = matrix.columns + matrix.starts[block_row] * kDotInputs; columns < end;
           columns += kDotInputs, weights += block_rows) {
        IntVector features[kDotInputs];
        IntVector tokens[kDotInputs];
        KAPRUNE_UNROLL
        for (size_t i = 0; i < kDotInputs; ++i) features[i] = rows[columns[i]];
        interleave(features, tokens);
        dot_rows(sums, tokens, load_four(weights), std::make_integer_sequence<int, 4>());
      }
      const size_t row = block_row * block_rows + part;
      KAPRUNE_UNROLL
      for (size_t r = 0; r < 4; ++r) {
        KAPRUNE_UNROLL
        for (size_t v = 0; v < kDotInputs; ++v) {  // to the end, so that sums stay in registers
          if (v >= vectors) continue;
          out[r * vectors + v] = __builtin_convertvector(sums[r][v], Vector) * (step_sizes[v] * matrix.scales[row + r]) +
                                 matrix.bias[row + r];
        }
      }
      activate(activation, out, 4 * vectors);
    }
  }
}

}  // namespace kaprune::KAPRUNE_ISA
