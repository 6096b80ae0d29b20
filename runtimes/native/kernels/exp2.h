// 2^x of x <= 0, within 3e-7 of the result; below -126 as at -126, which is almost 0, and so where x is NaN.
#pragma once

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

inline Vector exp2(Vector x) {
  x = max(x, broadcast(-126.0f));
  const Vector shifted = x + kRounder;
  const Vector rest = x - (shifted - kRounder);
  Vector series = broadcast(0.0013276472f);  // the polynomial of least relative error for |rest| <= 1/2
  series = series * rest + 0.009675541f;
  series = series * rest + 0.05550713f;
  series = series * rest + 0.2402212f;
  series = series * rest + 0.69314694f;
  series = series * rest + 1.0000001f;
  return (Vector)((IntVector)series + ((IntVector)shifted << 23));
}

}  // namespace kaprune::KAPRUNE_ISA
