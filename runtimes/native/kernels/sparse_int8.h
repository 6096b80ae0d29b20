// Block-sparse matrix of integers times tile of integers.
//
// Of 4 rows (or a multiple) that share their columns, `kDotInputs` of these are taken at a time and interleaved once for
// 4 rows. Blocks of neighbouring columns need a tile in lanes and no interleaving.
#pragma once

#include "kernels/dot.h"
#include "kernels/gelu.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

template <int Rows, int V, class Tokens, int... Row>
inline void dot_rows(IntVector (&sums)[Rows][V], const Tokens& tokens, Weights weights,
                     std::integer_sequence<int, Row...>) {
  const auto row = [&](auto number) {
    constexpr int kRow = decltype(number)::value;
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) dot<kRow>(sums[kRow][v], tokens[v], weights);
  };
  (row(std::integral_constant<int, Row>()), ...);
}

template <Layout layout, int Rows, int V>
struct MultiplyInt8 {
  static constexpr size_t kColumns = layout == Layout::kFeatures ? kDotInputs : 1;  // that a group names

  // Out of line: each V then has the registers to itself.
  __attribute__((noinline)) static void run(const Integers& matrix, size_t first, size_t last, Activation activation,
                                            const float* x, float* y) {
    Vector steps[V];
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) steps[v] = reinterpret_cast<const Vector*>(x)[v];
    const auto* tile = reinterpret_cast<const char*>(x);
    auto* out = reinterpret_cast<Vector*>(y);
    const uint32_t* columns = matrix.columns + matrix.starts[first] * kColumns;
    const int32_t* weights = matrix.weights + matrix.starts[first] * matrix.block_rows;
    size_t row = first * matrix.block_rows;
    for (size_t block_row = first; block_row < last; ++block_row) {
      const uint32_t* const begin = columns;
      const uint32_t* const end = matrix.columns + matrix.starts[block_row + 1] * kColumns;
      for (const size_t next = row + matrix.block_rows; row < next; row += Rows, out += Rows * V) {
        IntVector sums[Rows][V];
        KAPRUNE_UNROLL
        for (int r = 0; r < Rows; ++r) {
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) sums[r][v] = IntVector{} + matrix.initial[row + r];
        }
        columns = begin;
#ifdef KAPRUNE_DOT_PAIRS
        if constexpr (Rows == 4) {
          SumsOfPairs<V> pairs;
          for (; columns + kColumns < end; columns += 2 * kColumns, weights += 2 * Rows) {
            IntVector tokens[2][kDotInputs];
            load(tile, columns, tokens[0]);
            load(tile, columns + kColumns, tokens[1]);
            pairs.add(tokens[0], tokens[1], weights);
          }
          pairs.add_to(sums);
        }
#endif
        for (; columns < end; columns += kColumns, weights += Rows) {
          IntVector tokens[kDotInputs];
          load(tile, columns, tokens);
          dot_rows(sums, tokens, load_rows<Rows>(weights), std::make_integer_sequence<int, Rows>());
        }
        KAPRUNE_UNROLL
        for (int r = 0; r < Rows; ++r) {
          const float scale = matrix.scales[row + r];
          const float bias = matrix.bias[row + r];
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) {
            out[r * V + v] = __builtin_convertvector(sums[r][v], Vector) * (steps[v] * scale) + bias;
          }
        }
      }
    }
    activate(activation, reinterpret_cast<Vector*>(y), (last - first) * matrix.block_rows * V);
  }

 private:
  static inline void load(const char* tile, const uint32_t* columns, IntVector (&tokens)[kDotInputs]) {
    const auto at = [&](size_t i) { return reinterpret_cast<const IntVector*>(tile + columns[i]); };
    if constexpr (layout == Layout::kFeatures) {
      IntVector features[kDotInputs];
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kDotInputs; ++i) features[i] = *at(i);
      interleave(features, tokens);
    } else {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) tokens[v] = at(0)[v];
    }
  }
};

template <int V>
using MultiplyFeatures = MultiplyInt8<Layout::kFeatures, 4, V>;
template <int V>
using MultiplyLanesOf4Rows = MultiplyInt8<Layout::kLanes, 4, V>;
template <int V>
using MultiplyLanes = MultiplyInt8<Layout::kLanes, 1, V>;

inline void multiply_int8(const Integers& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                          const float* x, float* y) {
  if (matrix.layout == Layout::kFeatures) {
    with_vectors<MultiplyFeatures, kDotVectors>(vectors, matrix, first, last, activation, x, y);
  } else if (matrix.block_rows % 4 == 0) {
    with_vectors<MultiplyLanesOf4Rows, kDotVectors>(vectors, matrix, first, last, activation, x, y);
  } else {
    with_vectors<MultiplyLanes, kDotVectors>(vectors, matrix, first, last, activation, x, y);
  }
}

}  // namespace kaprune::KAPRUNE_ISA
