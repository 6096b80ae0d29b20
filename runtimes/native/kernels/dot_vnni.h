// Quads of 8-bit integers on x86, those of tokens unsigned; see dot.h.
//
// The halves of each 128 bits are packed and interleaved alike, which leaves tokens in order.
#pragma once

#define KAPRUNE_DOT

#include "kernels/registers_x86.h"

namespace kaprune::KAPRUNE_ISA {

constexpr size_t kDotInputs = 4;
constexpr int kDotOffset = 128;

inline IntVector pack(const IntVector (&tokens)[kDotInputs]) {
  const Register first = KAPRUNE_MM(packs_epi32)(Register(tokens[0]), Register(tokens[1]));
  const Register last = KAPRUNE_MM(packs_epi32)(Register(tokens[2]), Register(tokens[3]));
  return IntVector(KAPRUNE_MM(packus_epi16)(first, last));
}

inline void interleave(const IntVector (&rows)[kDotInputs], IntVector (&tokens)[kDotInputs]) {
  const Register left[] = {KAPRUNE_MM(unpacklo_epi8)(Register(rows[0]), Register(rows[1])),
                           KAPRUNE_MM(unpackhi_epi8)(Register(rows[0]), Register(rows[1]))};
  const Register right[] = {KAPRUNE_MM(unpacklo_epi8)(Register(rows[2]), Register(rows[3])),
                            KAPRUNE_MM(unpackhi_epi8)(Register(rows[2]), Register(rows[3]))};
  for (int half = 0; half < 2; ++half) {
    tokens[2 * half] = IntVector(KAPRUNE_MM(unpacklo_epi16)(left[half], right[half]));
    tokens[2 * half + 1] = IntVector(KAPRUNE_MM(unpackhi_epi16)(left[half], right[half]));
  }
}

using Weights = const int32_t*;

template <int Rows>
inline Weights load_rows(const int32_t* weights) { return weights; }

template <int Row>
inline void dot(IntVector& sum, IntVector tokens, Weights weights) {
  sum = IntVector(KAPRUNE_MM(dpbusd_epi32)(Register(sum), Register(tokens), KAPRUNE_MM(set1_epi32)(weights[Row])));
  pin(sum);
}

}  // namespace kaprune::KAPRUNE_ISA
