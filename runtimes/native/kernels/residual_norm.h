// Layer normalization of a tile added to a residual.
#pragma once

#include <cmath>

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

template <int V>
struct ResidualNorm {
  static void run(const float* residual, const float* gamma, const float* beta, size_t features, float epsilon,
                  float* tile) {
    const auto* added = reinterpret_cast<const Vector*>(residual);
    auto* y = reinterpret_cast<Vector*>(tile);
    const float share = 1.0f / static_cast<float>(features);

    Vector mean[V];
    add_up(features, mean, [&](size_t feature, int v) { return y[feature * V + v] += added[feature * V + v]; });
    for (Vector& value : mean) value *= share;

    Vector scale[V];
    add_up(features, scale, [&](size_t feature, int v) {
      const Vector distance = y[feature * V + v] - mean[v];
      return distance * distance;
    });
    for (Vector& value : scale) {
      float lanes[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = value[lane] * share + epsilon;
      for (int lane = 0; lane < kLanes; ++lane) value[lane] = 1.0f / std::sqrt(lanes[lane]);
    }

    for (size_t feature = 0; feature < features; ++feature, y += V) {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) y[v] = (y[v] - mean[v]) * scale[v] * gamma[feature] + beta[feature];
    }
  }

 private:
  // Independent, so that none waits for the one before.
  static constexpr size_t kSums = 4;

  template <class Term>
  static void add_up(size_t features, Vector (&total)[V], const Term& term) {
    Vector sums[kSums][V] = {};
    size_t feature = 0;
    for (; feature + kSums <= features; feature += kSums) {
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kSums; ++i) {
        KAPRUNE_UNROLL
        for (int v = 0; v < V; ++v) sums[i][v] += term(feature + i, v);
      }
    }
    for (; feature < features; ++feature) {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) sums[0][v] += term(feature, v);
    }
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) total[v] = (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);
  }
};

inline void add_and_normalize(const float* residual, const float* gamma, const float* beta, size_t features,
                              float epsilon, size_t vectors, float* tile) {
  with_vectors<ResidualNorm>(vectors, residual, gamma, beta, features, epsilon, tile);
}

}  // namespace kaprune::KAPRUNE_ISA
