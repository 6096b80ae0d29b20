// gelu(x) = x / 2 (1 + erf(x / sqrt 2)), within 3e-7.
#pragma once

#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// gelu(x) = max(x, 0) - h(|x|) with h(u) = u / 2 erfc(u / sqrt 2), which is 0 to 1e-7 beyond 5.5: a polynomial that
// interpolates h at the Chebyshev points of [0, 5.5], in t = u / 2.75 - 1.
inline Vector gelu(Vector x) {
  constexpr float kCoefficients[] = {
      0.0081943489f, -0.0605782288f, 0.19126614f, -0.308671783f, 0.178888713f, 0.260321051f,
      -0.627847809f, 0.460155682f, 0.149504915f, -0.546387693f, 0.276241761f, 0.233847018f,
      -0.26168781f, -0.0384181838f, 0.101876878f, -0.000267895336f, -0.0164371324f};
  constexpr int kTerms = sizeof(kCoefficients) / sizeof(float);
  const Vector magnitude = min(max(x, -x), broadcast(5.5f));
  const Vector t = magnitude * (1.0f / 2.75f) - 1.0f;
  const Vector t2 = t * t;
  Vector even = broadcast(kCoefficients[kTerms - 1]);
  Vector odd = broadcast(kCoefficients[kTerms - 2]);
  KAPRUNE_UNROLL
  for (int i = kTerms - 3; i > 0; i -= 2) {
    even = even * t2 + kCoefficients[i];
    odd = odd * t2 + kCoefficients[i - 1];
  }
  even = even * t2 + kCoefficients[0];
  return max(Vector{}, x) - (even + odd * t);
}

// In place, on `count` vectors. Out of line: its constants would push a product's sums out of registers.
__attribute__((noinline)) inline void apply_gelu(Vector* y, size_t count) {
  for (size_t i = 0; i < count; ++i) y[i] = gelu(y[i]);
}

inline void activate(Activation activation, Vector* y, size_t count) {
  if (activation == Activation::kGelu) apply_gelu(y, count);
}

}  // namespace kaprune::KAPRUNE_ISA
