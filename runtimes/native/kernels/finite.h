// Tokens whose features are not all finite.
#pragma once

#include <limits>

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

inline void mark_not_finite(const float* x, size_t stride, size_t tokens, size_t features, float* marks) {
  constexpr size_t kSums = 4;  // independent, so that none waits for the one before
  constexpr size_t kAtOnce = kSums * kLanes;
  for (size_t token = 0; token < tokens; ++token, x += stride) {
    Vector sums[kSums] = {};  // of 0 times each feature
    size_t feature = 0;
    for (; feature + kAtOnce <= features; feature += kAtOnce) {
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kSums; ++i) {
        sums[i] += *reinterpret_cast<const UnalignedVector*>(x + feature + i * kLanes) * 0.0f;
      }
    }
    float mark = sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; feature < features; ++feature) mark += x[feature] * 0.0f;
    marks[token] = mark == 0 ? 0 : std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace kaprune::KAPRUNE_ISA
