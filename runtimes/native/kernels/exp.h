// e^x of x <= 0, within 5e-7 of the result; below -87 as at -87, which is almost 0. NaN stays NaN.
#pragma once

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

inline Vector exp(Vector x) {
  constexpr float kExponentOfOne = 127;
  x = max(broadcast(-87.0f), x);
  const Vector shifted = x * 1.44269504f + (kRounder + kExponentOfOne);
  const Vector power = (Vector)((IntVector)shifted << 23);
  const Vector rest = x - (shifted - (kRounder + kExponentOfOne)) * 0.693147182f;
  Vector series = broadcast(0.00829857215f);  // the polynomial of least relative error for |rest| <= ln(2) / 2
  series = series * rest + 0.0419163182f;
  series = series * rest + 0.166675642f;
  series = series * rest + 0.499988824f;
  series = series * rest + 0.999999702f;
  series = series * rest + 1.0f;
  return series * power;
}

}  // namespace kaprune::KAPRUNE_ISA
