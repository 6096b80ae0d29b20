// The core's peak: nothing but independent multiply-adds.
#pragma once

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

inline size_t multiply_adds(size_t steps) {
  constexpr int kSums = 12;
  Vector sums[kSums];
  KAPRUNE_UNROLL
  for (int i = 0; i < kSums; ++i) sums[i] = broadcast(static_cast<float>(i));
  Vector factor = broadcast(0.5f);
  Vector other = broadcast(0.25f);
  for (size_t step = 0; step < steps; ++step) {
    pin(factor);
    pin(other);
    KAPRUNE_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] += factor * other;
    KAPRUNE_UNROLL
    for (int i = 0; i < kSums; ++i) pin(sums[i]);
  }
  return steps * kSums * kLanes;
}

}  // namespace kaprune::KAPRUNE_ISA
