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
// Counts the steps of vectors of tokens, `kDotOffset` added.
class Quantizer {
 public:
  Quantizer(size_t features, size_t vectors, const Vector* x) {
    for (size_t v = 0; v < vectors; ++v) steps_[v] = Step(largest_magnitude(x + v, features, vectors));
  }

  Vector step_size(size_t v) const { return steps_[v].size; }

  IntVector operator()(Vector x, size_t v) const {
    return IntVector(steps_beyond_rounder(x, steps_[v])) - (IntVector(broadcast(kRounder)) - kDotOffset);
  }

 private:
  Step steps_[kDotInputs];
};

// Vectors that a narrow tile lacks hold anything.
inline void quantize_features(const Quantizer& quantize, size_t features, size_t vectors, const Vector* x,
                              IntVector* integers) {
  for (size_t feature = 0; feature < features; ++feature, x += vectors) {
    IntVector tokens[kDotInputs];
    KAPRUNE_UNROLL
    for (size_t v = 0; v < kDotInputs; ++v) {
      const size_t present = std::min(v, vectors - 1);
      tokens[v] = quantize(x[present], present);
    }
    integers[feature] = pack(tokens);
  }
}

inline void quantize_lanes(const Quantizer& quantize, size_t features, size_t vectors, const Vector* x,
                           IntVector* integers) {
  constexpr int kBits = 32 / kDotInputs;
  for (size_t first = 0; first < features; first += kDotInputs, integers += kDotInputs) {
    const size_t count = std::min(kDotInputs, features - first);
    for (size_t v = 0; v < vectors; ++v) {
      IntVector lanes{};
      for (size_t i = 0; i < count; ++i) {
        lanes |= (quantize(x[(first + i) * vectors + v], v) & ((1 << kBits) - 1)) << (i * kBits);
      }
      integers[v] = lanes;
    }
  }
}

inline void quantize_tile(Layout layout, size_t features, size_t vectors, const float* x, float* integers) {
  const auto* in = reinterpret_cast<const Vector*>(x);
  const Quantizer quantize(features, vectors, in);
  for (size_t v = 0; v < vectors; ++v) reinterpret_cast<Vector*>(integers)[v] = quantize.step_size(v);
  (layout == Layout::kFeatures ? quantize_features : quantize_lanes)(
      quantize, features, vectors, in, reinterpret_cast<IntVector*>(integers) + kDotInputs);
}
#endif

}  // namespace kaprune::KAPRUNE_ISA
