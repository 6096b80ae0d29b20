// e^x of x <= 0, within 2e-7 of the result; below -87 as at -87, which is almost 0.
#pragma once

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

inline Vector exp(Vector x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the lowest bits
  x = max(x, broadcast(-87.0f));
  const Vector shifted = x * 1.44269504f + kRound;
  const Vector power = shifted - kRound;
  const Vector rest = (x - power * 0.693359375f) + power * 2.12194440e-4f;  // ln 2 in two parts, the first exact
  Vector series = broadcast(1.0f / 5040);  // Taylor's, |rest| <= ln 2 / 2
  series = series * rest + 1.0f / 720;
  series = series * rest + 1.0f / 120;
  series = series * rest + 1.0f / 24;
  series = series * rest + 1.0f / 6;
  series = series * rest + 0.5f;
  series = series * rest + 1.0f;
  series = series * rest + 1.0f;
  return (Vector)((IntVector)series + ((IntVector)shifted << 23));
}

}  // namespace kaprune::KAPRUNE_ISA
