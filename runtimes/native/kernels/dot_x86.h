// Pairs of 16-bit integers; see dot.h.
//
// The halves of each 128 bits are packed and interleaved alike, which leaves tokens in order.
#pragma once

#define KAPRUNE_DOT

#include "kernels/registers_x86.h"

namespace kaprune::KAPRUNE_ISA {

constexpr size_t kDotInputs = 2;
constexpr int kDotOffset = 0;

inline IntVector pack(const IntVector (&tokens)[kDotInputs]) {
  return IntVector(KAPRUNE_MM(packs_epi32)(Register(tokens[0]), Register(tokens[1])));
}

inline void interleave(const IntVector (&rows)[kDotInputs], IntVector (&tokens)[kDotInputs]) {
  tokens[0] = IntVector(KAPRUNE_MM(unpacklo_epi16)(Register(rows[0]), Register(rows[1])));
  tokens[1] = IntVector(KAPRUNE_MM(unpackhi_epi16)(Register(rows[0]), Register(rows[1])));
}

using Weights = const int32_t*;

template <int Rows>
inline Weights load_rows(const int32_t* weights) { return weights; }

template <int Row>
inline void dot(IntVector& sum, IntVector tokens, Weights weights) {
  const Register repeated = KAPRUNE_MM(set1_epi32)(weights[Row]);
  sum += IntVector(KAPRUNE_MM(madd_epi16)(Register(tokens), repeated));
  pin(sum);  // else the compiler gathers products first and runs out of registers
}

}  // namespace kaprune::KAPRUNE_ISA
