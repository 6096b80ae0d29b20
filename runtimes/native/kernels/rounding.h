// Activations rounded to multiples of a 127th of their token's largest magnitude.
#pragma once

#include <algorithm>

#include "kernels/dot.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// The largest magnitude in each lane of a column of vectors; NaN where there is one: the bits of magnitudes, read as
// whole numbers, order as these do, and those of NaN come last.
inline Vector largest_magnitude(const Vector* x, size_t features, size_t stride) {
  const auto* bits = reinterpret_cast<const IntVector*>(x);
  IntVector largest{};
  for (size_t feature = 0; feature < features; ++feature) {
    const IntVector magnitude = bits[feature * stride] & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  return Vector(largest);
}

// Counting in 127ths of the largest magnitudes.
struct Step {
  Vector size;
  Vector inverse;

  Step() = default;
  explicit Step(Vector largest) {
    constexpr float kSmallest = 1e-30f;  // so that a token of zeros has a step
    const Vector bounded = largest < kSmallest ? broadcast(kSmallest) : largest;
    size = bounded / 127.0f;
    inverse = 127.0f / bounded;
  }
};

// Its last bit counts ones: added to a float below 2^22, it leaves the nearest whole number, the even of two.
constexpr float kRounder = 12582912.0f;

inline Vector steps_beyond_rounder(Vector x, const Step& step) {
  Vector steps = x * step.inverse;
  pin(steps);  // rounded before the sum, as ONNX has it
  return steps + kRounder;
}

inline void round_tile(size_t features, size_t vectors, const float* x, float* rounded) {
  const auto* in = reinterpret_cast<const Vector*>(x);
  auto* out = reinterpret_cast<Vector*>(rounded);
  for (size_t v = 0; v < vectors; ++v) {
    const Step step(largest_magnitude(in + v, features, vectors));
    for (size_t place = v; place < features * vectors; place += vectors) {
      out[place] = (steps_beyond_rounder(in[place], step) - kRounder) * step.size;
    }
  }
}

#ifdef KAPRUNE_DOT
inline void quantize_tile(size_t features, size_t vectors, const float* x, float* integers) {
  const auto* in = reinterpret_cast<const Vector*>(x);
  auto* step_sizes = reinterpret_cast<Vector*>(integers);
  auto* out = reinterpret_cast<IntVector*>(integers) + kDotInputs;
  Step steps[kDotInputs];
  size_t source[kDotInputs];
  for (size_t v = 0; v < kDotInputs; ++v) {
    source[v] = std::min(v, vectors - 1);  // vectors that a narrow tile lacks may hold anything
    steps[v] = Step(largest_magnitude(in + source[v], features, vectors));
    step_sizes[v] = steps[v].size;
  }
  const IntVector zero = IntVector(broadcast(kRounder)) - kDotOffset;
  for (size_t feature = 0; feature < features; ++feature, in += vectors) {
    IntVector tokens[kDotInputs];
    KAPRUNE_UNROLL
    for (size_t v = 0; v < kDotInputs; ++v) {
      tokens[v] = IntVector(steps_beyond_rounder(in[source[v]], steps[v])) - zero;
    }
    out[feature] = pack(tokens);
  }
}
#endif

}  // namespace kaprune::KAPRUNE_ISA
