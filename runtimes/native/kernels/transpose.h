// Rows of tokens to tiles and back.
#pragma once

#include <utility>

#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// One step of Eklundh's transposition: swaps the `Distance` lanes that two rows, `Distance` apart, have off the diagonal.
template <int Distance, int... Lane>
inline void swap_lanes(Vector& upper, Vector& lower, std::integer_sequence<int, Lane...>) {
  const Vector a = upper;
  const Vector b = lower;
  upper = __builtin_shufflevector(a, b, ((Lane & Distance) ? kLanes + Lane - Distance : Lane)...);
  lower = __builtin_shufflevector(a, b, ((Lane & Distance) ? kLanes + Lane : Lane + Distance)...);
}

template <int Distance>
inline void transpose_steps(Vector (&rows)[kLanes]) {
  KAPRUNE_UNROLL
  for (int i = 0; i < kLanes; ++i) {
    if ((i & Distance) == 0) {
      swap_lanes<Distance>(rows[i], rows[i + Distance], std::make_integer_sequence<int, kLanes>());
    }
  }
  if constexpr (Distance > 1) transpose_steps<Distance / 2>(rows);
}

inline void transpose(Vector (&rows)[kLanes]) { transpose_steps<kLanes / 2>(rows); }

inline void to_tile(const float* x, size_t stride, size_t tokens, size_t features, size_t vectors, float* tile) {
  const size_t width = vectors * kLanes;
  const size_t whole = features - features % kLanes;
  for (size_t first = 0; first < width; first += kLanes) {
    const size_t present = tokens > first ? tokens - first : 0;
    for (size_t feature = 0; feature < whole; feature += kLanes) {
      Vector rows[kLanes];
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kLanes; ++i) {
        rows[i] = i < present ? *reinterpret_cast<const UnalignedVector*>(x + (first + i) * stride + feature) : Vector{};
      }
      transpose(rows);
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kLanes; ++i) {
        *reinterpret_cast<Vector*>(tile + (feature + i) * width + first) = rows[i];
      }
    }
    for (size_t feature = whole; feature < features; ++feature) {
      for (size_t i = 0; i < kLanes; ++i) {
        tile[feature * width + first + i] = i < present ? x[(first + i) * stride + feature] : 0;
      }
    }
  }
}

inline void from_tile(const float* tile, size_t vectors, size_t features, size_t tokens, float* y, size_t stride) {
  const size_t width = vectors * kLanes;
  const size_t whole = features - features % kLanes;
  for (size_t first = 0; first < tokens; first += kLanes) {
    const size_t present = tokens - first;
    for (size_t feature = 0; feature < whole; feature += kLanes) {
      Vector rows[kLanes];
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kLanes; ++i) {
        rows[i] = *reinterpret_cast<const Vector*>(tile + (feature + i) * width + first);
      }
      transpose(rows);
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kLanes; ++i) {
        if (i < present) *reinterpret_cast<UnalignedVector*>(y + (first + i) * stride + feature) = rows[i];
      }
    }
    for (size_t feature = whole; feature < features; ++feature) {
      for (size_t i = 0; i < kLanes && i < present; ++i) {
        y[(first + i) * stride + feature] = tile[feature * width + first + i];
      }
    }
  }
}

}  // namespace kaprune::KAPRUNE_ISA
