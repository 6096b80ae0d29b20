// softmax(scale * queries . keys + position bias + mask) . values of one head, for one tile of queries.
//
// Scores lie as the queries do, a row a key, so that the softmax runs down columns and nothing is transposed.
#pragma once

#include "kernels/exp.h"
#include "kernels/kernels.h"
#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {

// sum[r][v] += sum over k < depth of weights[r * row_stride + k * depth_stride] * x[k][v].
template <int Rows, int V>
inline void multiply_dense(Vector (&sum)[Rows][V], const float* weights, size_t row_stride, size_t depth_stride,
                           size_t depth, const Vector* x) {
  for (size_t k = 0; k < depth; ++k, weights += depth_stride, x += V) {
    KAPRUNE_UNROLL
    for (int r = 0; r < Rows; ++r) {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) sum[r][v] += x[v] * weights[r * row_stride];
    }
  }
}

template <int V>
struct Attention {
  static void run(const AttentionHead& head, const float* queries, float* scores, float* output) {
    auto* rows = reinterpret_cast<Vector*>(scores);
    Vector largest[V];
    score(head, reinterpret_cast<const Vector*>(queries), rows, largest);

    Vector total[V] = {};
    size_t keys = 0;
    for (size_t t = 0; t < head.tile_count; ++t) keys += head.tiles[t].tokens;
    for (size_t key = 0; key < keys; ++key) {
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) total[v] += rows[key * V + v] = exp(rows[key * V + v] - largest[v]);
    }
    for (Vector& value : total) value = 1.0f / value;

    auto* out = reinterpret_cast<Vector*>(output);
    size_t feature = 0;
    for (; feature + 4 <= head.head_size; feature += 4) weigh<4>(head, feature, rows, total, out);
    for (; feature < head.head_size; ++feature) weigh<1>(head, feature, rows, total, out);
  }

 private:
  static void score(const AttentionHead& head, const Vector* queries, Vector* scores, Vector (&largest)[V]) {
    for (Vector& value : largest) value = broadcast(-__builtin_huge_valf());
    size_t key = 0;
    for (size_t t = 0; t < head.tile_count; ++t) {
      const KeyTile& tile = head.tiles[t];
      for (size_t first = 0; first < tile.tokens; first += 4) {
        Vector sum[4][V] = {};
        const float* keys = head.keys + tile.offset + head.first_row * tile.width + first;
        multiply_dense(sum, keys, 1, tile.width, head.head_size, queries);
        for (size_t r = 0; r < 4 && first + r < tile.tokens; ++r, ++key) {
          for (int v = 0; v < V; ++v) {
            Vector value = sum[r][v] * head.scale + head.mask[key];
            if (head.bias != nullptr) value += bias_of_key(head, key, v);
            largest[v] = max(largest[v], value);
            scores[key * V + v] = value;
          }
        }
      }
    }
  }

  static Vector bias_of_key(const AttentionHead& head, size_t key, int v) {
    Vector bias = {};
    for (size_t lane = 0; lane < kLanes && v * kLanes + lane < head.queries; ++lane) {
      bias[lane] = head.bias[(v * kLanes + lane) * head.bias_stride + key];
    }
    return bias;
  }

  // Features `feature` to `feature` + Rows - 1 of the output.
  template <int Rows>
  static void weigh(const AttentionHead& head, size_t feature, const Vector* powers, const Vector (&inverse_total)[V],
                    Vector* output) {
    Vector sum[Rows][V] = {};
    for (size_t t = 0; t < head.tile_count; ++t) {
      const KeyTile& tile = head.tiles[t];
      const float* values = head.values + tile.offset + (head.first_row + feature) * tile.width;
      multiply_dense(sum, values, tile.width, 1, tile.tokens, powers);
      powers += tile.tokens * V;
    }
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < V; ++v) output[(feature + r) * V + v] = sum[r][v] * inverse_total[v];
    }
  }
};

inline void attend(const AttentionHead& head, size_t vectors, const float* queries, float* scores, float* output) {
  with_vectors<Attention>(vectors, head, queries, scores, output);
}

}  // namespace kaprune::KAPRUNE_ISA
