// Two groups of inputs at a time, for 4 rows: products of 2 tokens x 8 inputs with 8 inputs x 2 rows; see dot.h.
#pragma once

#define KAPRUNE_DOT_PAIRS

#include <arm_neon.h>

namespace kaprune::KAPRUNE_ISA {

template <int V>
class SumsOfPairs {
 public:
  // weights: of the first group's 4 rows, then the second's.
  void add(const IntVector (&first)[kDotInputs], const IntVector (&second)[kDotInputs], const int32_t* weights) {
    const int32x4_t groups[] = {vld1q_s32(weights), vld1q_s32(weights + 4)};
    const int8x16_t rows[] = {int8x16_t(vzip1q_s32(groups[0], groups[1])), int8x16_t(vzip2q_s32(groups[0], groups[1]))};
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) {
      const int32x4_t halves[] = {int32x4_t(first[v]), int32x4_t(second[v])};
      const int8x16_t tokens[] = {int8x16_t(vzip1q_s32(halves[0], halves[1])),
                                  int8x16_t(vzip2q_s32(halves[0], halves[1]))};
      KAPRUNE_UNROLL
      for (int i = 0; i < 4; ++i) {
        sums_[i / 2][v][i % 2] = vmmlaq_s32(sums_[i / 2][v][i % 2], tokens[i % 2], rows[i / 2]);
      }
    }
  }

  void add_to(IntVector (&sums)[4][V]) const {
    KAPRUNE_UNROLL
    for (int i = 0; i < 2 * V; ++i) {
      const int32x4_t(&tokens)[2] = sums_[i / V][i % V];
      sums[i / V * 2][i % V] += IntVector(vuzp1q_s32(tokens[0], tokens[1]));
      sums[i / V * 2 + 1][i % V] += IntVector(vuzp2q_s32(tokens[0], tokens[1]));
    }
  }

 private:
  int32x4_t sums_[2][V][2] = {};  // of two rows and two tokens each
};

}  // namespace kaprune::KAPRUNE_ISA
