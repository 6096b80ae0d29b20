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

    Vector mean[V] = {};
    for (size_t at = 0; at < features * V; at += V) {
      for (int v = 0; v < V; ++v) mean[v] += y[at + v] += added[at + v];
    }
    for (Vector& value : mean) value *= share;

    Vector scale[V] = {};
    for (size_t at = 0; at < features * V; at += V) {
      for (int v = 0; v < V; ++v) scale[v] += (y[at + v] - mean[v]) * (y[at + v] - mean[v]);
    }
    for (Vector& value : scale) {
      value = value * share + epsilon;
      for (int lane = 0; lane < kLanes; ++lane) value[lane] = 1.0f / std::sqrt(value[lane]);
    }

    for (size_t feature = 0; feature < features; ++feature, y += V) {
      for (int v = 0; v < V; ++v) y[v] = (y[v] - mean[v]) * scale[v] * gamma[feature] + beta[feature];
    }
  }
};

inline void add_and_normalize(const float* residual, const float* gamma, const float* beta, size_t features,
                              float epsilon, size_t vectors, float* tile) {
  with_vectors<ResidualNorm>(vectors, residual, gamma, beta, features, epsilon, tile);
}

}  // namespace kaprune::KAPRUNE_ISA
