// Activations rounded to multiples of a 127th of their token's largest magnitude.
#pragma once

#include <algorithm>

#include "kernels/dot.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// What is rounded of a token's features: these as they are, or each times its factor.
struct AsTheyAre {
  Vector operator()(Vector x, size_t) const { return x; }
};

struct Equalized {
  const float* factors;

  Vector operator()(Vector x, size_t feature) const { return x * broadcast(factors[feature]); }
};

template <class Use>
void choose_reading(const float* factors, const Use& use) {
  if (factors == nullptr) {
    use(AsTheyAre());
  } else {
    use(Equalized{factors});
  }
}

// The largest magnitude in each lane of a column of vectors; NaN where there is one: the bits of magnitudes, read as
// whole numbers, order as these do, and those of NaN come last.
template <class Reading>
Vector largest_magnitude(const Vector* x, size_t features, size_t stride, const Reading& reading) {
  IntVector largest{};
  for (size_t feature = 0; feature < features; ++feature) {
    const IntVector magnitude = IntVector(reading(x[feature * stride], feature)) & 0x7fffffff;
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
    size = bounded / 127.0f + bounded * 0.0f;  // NaN where the largest is infinite: what it leaves are 0 * infinity
    inverse = 127.0f / bounded;
  }
};

inline Vector steps_beyond_rounder(Vector x, const Step& step) {
  Vector steps = x * step.inverse;
  pin(steps);  // rounded before the sum, as ONNX has it
  return steps + kRounder;
}

inline void round_tile(size_t features, size_t vectors, const float* x, const float* factors, float* rounded) {
  const auto* in = reinterpret_cast<const Vector*>(x);
  auto* out = reinterpret_cast<Vector*>(rounded);
  choose_reading(factors, [&](const auto& reading) {
    for (size_t v = 0; v < vectors; ++v) {
      const Step step(largest_magnitude(in + v, features, vectors, reading));
      for (size_t feature = 0; feature < features; ++feature) {
        const size_t place = feature * vectors + v;
        out[place] = (steps_beyond_rounder(reading(in[place], feature), step) - kRounder) * step.size;
      }
    }
  });
}

#ifdef KAPRUNE_DOT
// Counts the steps of vectors of tokens, `kDotOffset` added.
template <class Reading>
class Quantizer {
 public:
  Quantizer(size_t features, size_t vectors, const Vector* x, const Reading& reading) : reading_(reading) {
    for (size_t v = 0; v < vectors; ++v) steps_[v] = Step(largest_magnitude(x + v, features, vectors, reading));
  }

  Vector step_size(size_t v) const { return steps_[v].size; }

  IntVector operator()(Vector x, size_t feature, size_t v) const {
    const Vector steps = steps_beyond_rounder(reading_(x, feature), steps_[v]);
    return IntVector(steps) - (IntVector(broadcast(kRounder)) - kDotOffset);
  }

 private:
  Reading reading_;
  Step steps_[kDotInputs];
};

// Vectors that a narrow tile lacks hold anything.
template <class Reading>
void quantize_features(const Quantizer<Reading>& quantize, size_t features, size_t vectors, const Vector* x,
                       IntVector* integers) {
  for (size_t feature = 0; feature < features; ++feature, x += vectors) {
    IntVector tokens[kDotInputs];
    KAPRUNE_UNROLL
    for (size_t v = 0; v < kDotInputs; ++v) {
      const size_t present = std::min(v, vectors - 1);
      tokens[v] = quantize(x[present], feature, present);
    }
    integers[feature] = pack(tokens);
  }
}

template <class Reading>
void quantize_lanes(const Quantizer<Reading>& quantize, size_t features, size_t vectors, const Vector* x,
                    IntVector* integers) {
  constexpr int kBits = 32 / kDotInputs;
  for (size_t first = 0; first < features; first += kDotInputs, integers += kDotInputs) {
    const size_t count = std::min(kDotInputs, features - first);
    for (size_t v = 0; v < vectors; ++v) {
      IntVector lanes{};
      for (size_t i = 0; i < count; ++i) {
        lanes |= (quantize(x[(first + i) * vectors + v], first + i, v) & ((1 << kBits) - 1)) << (i * kBits);
      }
      integers[v] = lanes;
    }
  }
}

inline void quantize_tile(Layout layout, size_t features, size_t vectors, const float* x, const float* factors,
                          float* integers) {
  const auto* in = reinterpret_cast<const Vector*>(x);
  auto* out = reinterpret_cast<IntVector*>(integers) + kDotInputs;
  choose_reading(factors, [&](const auto& reading) {
    const Quantizer quantize(features, vectors, in, reading);
    for (size_t v = 0; v < vectors; ++v) reinterpret_cast<Vector*>(integers)[v] = quantize.step_size(v);
    if (layout == Layout::kFeatures) {
      quantize_features(quantize, features, vectors, in, out);
    } else {
      quantize_lanes(quantize, features, vectors, in, out);
    }
  });
}
#endif

}  // namespace kaprune::KAPRUNE_ISA
