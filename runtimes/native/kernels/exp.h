// e^x of x <= 0, within 5e-7 of the result; below -87 as at -87, which is almost 0. NaN stays NaN.
#pragma once

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// In place, of several vectors step by step: none waits for another, and a constant is loaded once for all of them.
template <int Count>
inline void exp(Vector (&x)[Count]) {
  // The polynomial of least relative error for |x| <= ln(2) / 2.
  constexpr float kFirst = 0.00829857215f;
  constexpr float kSeries[] = {0.0419163182f, 0.166675642f, 0.499988824f, 0.999999702f, 1.0f};
  Vector power[Count], series[Count];
  Vector lowest = broadcast(-87.0f);
  KAPRUNE_UNROLL
  for (int i = 0; i < Count; ++i) x[i] = max(lowest, x[i]);
  Vector binary = broadcast(1.44269504f);
  Vector one = broadcast(kRounder + 127);
  pin(binary);
  pin(one);
  KAPRUNE_UNROLL
  for (int i = 0; i < Count; ++i) power[i] = x[i] * binary + one;
  Vector natural = broadcast(0.693147182f);
  pin(natural);
  KAPRUNE_UNROLL
  for (int i = 0; i < Count; ++i) x[i] -= (power[i] - one) * natural;
  Vector first = broadcast(kFirst);
  pin(first);
  KAPRUNE_UNROLL
  for (int i = 0; i < Count; ++i) series[i] = first;
  KAPRUNE_UNROLL
  for (const float term : kSeries) {
    Vector constant = broadcast(term);
    pin(constant);
    KAPRUNE_UNROLL
    for (int i = 0; i < Count; ++i) series[i] = series[i] * x[i] + constant;
  }
  KAPRUNE_UNROLL
  for (int i = 0; i < Count; ++i) x[i] = series[i] * (Vector)((IntVector)power[i] << 23);
}

}  // namespace kaprune::KAPRUNE_ISA
