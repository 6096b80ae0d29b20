// Quads of 8-bit integers; see dot.h.
#pragma once

#define KAPRUNE_DOT

#include <arm_neon.h>

namespace kaprune::KAPRUNE_ISA {

constexpr size_t kDotInputs = 4;
constexpr int kDotOffset = 0;

inline IntVector pack(const IntVector (&tokens)[kDotInputs]) {
  const int16x8_t first = vcombine_s16(vqmovn_s32(int32x4_t(tokens[0])), vqmovn_s32(int32x4_t(tokens[1])));
  const int16x8_t last = vcombine_s16(vqmovn_s32(int32x4_t(tokens[2])), vqmovn_s32(int32x4_t(tokens[3])));
  return IntVector(vcombine_s8(vqmovn_s16(first), vqmovn_s16(last)));
}

inline void interleave(const IntVector (&rows)[kDotInputs], IntVector (&tokens)[kDotInputs]) {
  const auto pairs = [&](int first, auto zip) { return int16x8_t(zip(int8x16_t(rows[first]), int8x16_t(rows[first + 1]))); };
  const int16x8_t left[] = {pairs(0, vzip1q_s8), pairs(0, vzip2q_s8)};
  const int16x8_t right[] = {pairs(2, vzip1q_s8), pairs(2, vzip2q_s8)};
  for (int half = 0; half < 2; ++half) {
    tokens[2 * half] = IntVector(vzip1q_s16(left[half], right[half]));
    tokens[2 * half + 1] = IntVector(vzip2q_s16(left[half], right[half]));
  }
}

using Weights = int8x16_t;

template <int Rows>
inline Weights load_rows(const int32_t* weights) {
  return int8x16_t(Rows == 1 ? vld1q_dup_s32(weights) : vld1q_s32(weights));
}

template <int Row>
inline void dot(IntVector& sum, IntVector tokens, Weights weights) {
  sum = IntVector(vdotq_laneq_s32(int32x4_t(sum), int8x16_t(tokens), weights, Row));
}

}  // namespace kaprune::KAPRUNE_ISA
