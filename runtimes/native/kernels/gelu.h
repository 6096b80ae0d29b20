// gelu(x) = x / 2 (1 + erf(x / sqrt 2)), within 4e-7.
#pragma once

#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// gelu(x) = max(x, 0) - u p(u)^4 with u = |x|, where p(u) is the fourth root of erfc(u / sqrt 2) / 2: so much flatter
// that half as many terms do. The coefficients are those of the least largest error of u p(u)^4. Beyond kTailEnd that
// is 0 to 2e-7, and taken to stay what it is there.
constexpr float kTailEnd = 5.39f;

#if KAPRUNE_LANES == 16

// table[index % 16] in each lane.
inline Vector lookup(Vector table, IntVector index) {
#ifdef __AVX512F__
  return _mm512_maskz_permutexvar_ps(0xFFFF, (__m512i)index, table);
#else
  Vector found;
  for (int lane = 0; lane < kLanes; ++lane) found[lane] = table[index[lane] & 15];
  return found;
#endif
}

// A cubic for each of 16 segments of [0, kTailEnd], all within 2.5e-7: a register holds one coefficient of all of them,
// and what looks it up is a shuffle.
__attribute__((always_inline)) inline Vector fourth_root(Vector u) {
  constexpr float kSegments = 2.875f;  // in a unit of u; the last one ends just beyond kTailEnd
  constexpr Vector kCoefficients[] = {
      {0.840896189f, 0.840854347f, 0.84033078f, 0.83919692f, 0.839608252f, 0.84703666f, 0.869166017f, 0.912754774f,
       0.97979641f, 1.06479394f, 1.1546216f, 1.23119116f, 1.27613795f, 1.27567625f, 1.22408259f, 0.1792216f},
      {-0.167721272f, -0.167186394f, -0.164237857f, -0.16023919f, -0.161053702f, -0.175060868f, -0.209596038f,
       -0.267406404f, -0.34464848f, -0.431195825f, -0.513145685f, -0.576452613f, -0.610508621f, -0.610414445f,
       -0.577528536f, -0.0311133061f},
      {-0.0504212789f, -0.0527479723f, -0.0583779626f, -0.0631072447f, -0.0626008362f, -0.0537820868f, -0.0357933417f,
       -0.0102112107f, 0.0194754992f, 0.0488675423f, 0.0737999454f, 0.0912535116f, 0.0998571888f, 0.099887453f,
       0.092898868f, 0.0f},
      {0.0062200767f, 0.00975126494f, 0.0133967409f, 0.0152718918f, 0.0151776103f, 0.0133236721f, 0.0101962015f,
       0.00641901791f, 0.00261302548f, -0.000716118549f, -0.00324574229f, -0.00485029072f, -0.0055750045f,
       -0.00558133144f, -0.00508618308f, 0.0f},
  };
  const auto segment = (IntVector)(u * kSegments + kRounder);
  Vector sum = lookup(kCoefficients[3], segment);
  KAPRUNE_UNROLL
  for (int i = 2; i >= 0; --i) sum = sum * u + lookup(kCoefficients[i], segment);
  return sum;
}

#else

// One polynomial for all of [0, kTailEnd], within 1.5e-7.
__attribute__((always_inline)) inline Vector fourth_root(Vector u) {
  constexpr float kCoefficients[] = {
      0.840898395f, -0.167755291f, -0.0501207411f, 0.00451906445f, 0.00391432224f, -9.60670877e-05f, -0.000289872813f,
      5.57727726e-05f, -3.23940867e-06f};
  Vector sum = broadcast(kCoefficients[8]);
  KAPRUNE_UNROLL
  for (int i = 7; i >= 0; --i) sum = sum * u + kCoefficients[i];
  return sum;
}

#endif

__attribute__((always_inline)) inline Vector gelu(Vector x) {
  const Vector u = min((Vector)((IntVector)x & 0x7FFFFFFF), broadcast(kTailEnd));
  const Vector root = fourth_root(u);
  const Vector square = root * root;
  return max(Vector{}, x) - u * (square * square);
}

// In place, on `count` vectors. Out of line: its constants would push a product's sums out of registers.
__attribute__((noinline)) inline void apply_gelu(Vector* y, size_t count) {
  for (size_t i = 0; i < count; ++i) y[i] = gelu(y[i]);
}

inline void activate(Activation activation, Vector* y, size_t count) {
  if (activation == Activation::kGelu) apply_gelu(y, count);
}

}  // namespace kaprune::KAPRUNE_ISA
