// gelu(x) = x / 2 (1 + erf(x / sqrt 2)), within 3e-7.
#pragma once

#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// gelu(x) = max(x, 0) - h(|x|) with h(u) = u / 2 erfc(u / sqrt 2), which is 0 to 1e-7 beyond kTailEnd.
constexpr float kTailEnd = 5.5f;

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

// A polynomial for each of 16 segments of [0, kTailEnd], which interpolates h at its Chebyshev points: a register holds
// one coefficient of all of them, and what looks it up is a shuffle.
__attribute__((always_inline)) inline Vector tail(Vector u) {
  constexpr float kSegments = 2.8125f;  // in a unit of u; the last one ends just beyond kTailEnd
  constexpr Vector kCoefficients[] = {
      {-1.5247934e-09f, 0.128386393f, 0.169605464f, 0.152598605f, 0.110195018f, 0.0670580938f, 0.0350905508f,
       0.0159466844f, 0.00632731616f, 0.00219884142f, 0.000670544396f, 0.000179661758f, 4.23285928e-05f,
       8.77415641e-06f, 1.60081447e-06f, 2.57136179e-07f},
      {0.177777931f, 0.0810435116f, 0.00647168886f, -0.0347928591f, -0.0458279029f, -0.0385173969f, -0.0252420828f,
       -0.0136697842f, -0.00627083844f, -0.00246817595f, -0.00083974516f, -0.000248131517f, -6.3877611e-05f,
       -1.43584984e-05f, -2.82268888e-06f, -4.85887028e-07f},
      {-0.0504365042f, -0.0443520024f, -0.0292639565f, -0.0123099973f, 0.000208131634f, 0.00602615718f,
       0.00660946826f, 0.00477810763f, 0.0026882689f, 0.00124176405f, 0.000482551957f, 0.000159870819f,
       4.55245972e-05f, 1.12022435e-05f, 2.39095834e-06f, 4.43845124e-07f},
      {1.17219342e-05f, 0.00383150694f, 0.00572611019f, 0.00514179887f, 0.00305737881f, 0.000933079456f,
       -0.000346364075f, -0.000729581399f, -0.000607024704f, -0.000357776968f, -0.000166590442f, -6.38846614e-05f,
       -2.06014083e-05f, -5.65474375e-06f, -1.33142589e-06f, -2.70346732e-07f},
      {0.00104230584f, 0.000776981935f, 0.000148740408f, -0.00039746883f, -0.000582750654f, -0.000443940866f,
       -0.000195840752f, -1.3105966e-05f, 5.88827352e-05f, 5.88132134e-05f, 3.60390186e-05f, 1.66822392e-05f,
       6.21980689e-06f, 1.92339007e-06f, 5.0139522e-07f, 1.11303947e-07f},
  };
  const Vector shifted = u * kSegments + kRounder;
  const Vector t = u * kSegments - (shifted - kRounder);
  const auto segment = (IntVector)shifted;
  Vector sum = lookup(kCoefficients[4], segment);
  KAPRUNE_UNROLL
  for (int i = 3; i >= 0; --i) sum = sum * t + lookup(kCoefficients[i], segment);
  return sum;
}

#else

// One polynomial that interpolates h at the Chebyshev points of [0, kTailEnd], in t = u / (kTailEnd / 2) - 1.
__attribute__((always_inline)) inline Vector tail(Vector u) {
  constexpr float kCoefficients[] = {
      0.0081943489f, -0.0605782288f, 0.19126614f, -0.308671783f, 0.178888713f, 0.260321051f,
      -0.627847809f, 0.460155682f, 0.149504915f, -0.546387693f, 0.276241761f, 0.233847018f,
      -0.26168781f, -0.0384181838f, 0.101876878f, -0.000267895336f, -0.0164371324f};
  constexpr int kTerms = sizeof(kCoefficients) / sizeof(float);
  const Vector t = u * (2 / kTailEnd) - 1.0f;
  const Vector t2 = t * t;
  Vector even = broadcast(kCoefficients[kTerms - 1]);
  Vector odd = broadcast(kCoefficients[kTerms - 2]);
  KAPRUNE_UNROLL
  for (int i = kTerms - 3; i > 0; i -= 2) {
    even = even * t2 + kCoefficients[i];
    odd = odd * t2 + kCoefficients[i - 1];
  }
  even = even * t2 + kCoefficients[0];
  return even + odd * t;
}

#endif

__attribute__((always_inline)) inline Vector gelu(Vector x) {
  return max(Vector{}, x) - tail(min(max(x, -x), broadcast(kTailEnd)));
}

// In place, on `count` vectors. Out of line: its constants would push a product's sums out of registers.
__attribute__((noinline)) inline void apply_gelu(Vector* y, size_t count) {
  for (size_t i = 0; i < count; ++i) y[i] = gelu(y[i]);
}

inline void activate(Activation activation, Vector* y, size_t count) {
  if (activation == Activation::kGelu) apply_gelu(y, count);
}

}  // namespace kaprune::KAPRUNE_ISA
