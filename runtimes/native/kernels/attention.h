// softmax(scale * queries . keys + position bias + mask) . values of one head, for one tile of queries.
//
// Scores lie as the queries do, a row a key, so that the softmax runs down columns and nothing is transposed. Keys come
// in blocks, whose scores stay in the first-level cache; what earlier blocks gave is scaled down when a larger score
// turns up (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018, section 3).
#pragma once

#include <limits>

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
    auto* out = reinterpret_cast<Vector*>(output);
    Vector largest[V];
    // Above minus infinity, so that a block of it alone adds next to nothing to what others give.
    for (Vector& value : largest) value = broadcast(std::numeric_limits<float>::lowest());
    Vector total[V] = {};
    Block block{};
    while (next(head, block)) {
      Vector factor[V];  // of what earlier blocks gave
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) factor[v] = largest[v];
      (head.bias == nullptr ? score<false> : score<true>)(head, block, reinterpret_cast<const Vector*>(queries), rows,
                                                          largest);
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) factor[v] -= largest[v];
      exp(factor);
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) total[v] *= factor[v];
      for (int v = 0; v < V; ++v) total[v] += raise(rows + v, block.keys, largest[v]);
      size_t feature = 0;
      for (; feature + 4 <= head.head_size; feature += 4) weigh<4>(head, block, feature, rows, factor, out);
      for (; feature < head.head_size; ++feature) weigh<1>(head, block, feature, rows, factor, out);
    }
    // The largest score alone gives 1; less is a row of minus infinity, whose softmax is 0 / 0.
    for (Vector& value : total) value = value < 0.5f ? broadcast(kNaN) : 1.0f / value;
    for (size_t feature = 0; feature < head.head_size; ++feature) {
      for (int v = 0; v < V; ++v) out[feature * V + v] *= total[v];
    }
  }

 private:
  static constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

  struct Block {
    size_t first_tile;
    size_t last_tile;  // one past
    size_t first_key;
    size_t keys;
  };

  static bool next(const AttentionHead& head, Block& block) {
    block = {block.last_tile, block.last_tile, block.first_key + block.keys, 0};
    while (block.last_tile < head.tile_count && block.keys + head.tiles[block.last_tile].tokens <= kKeysAtOnce) {
      block.keys += head.tiles[block.last_tile++].tokens;
    }
    return block.keys > 0;
  }

  // Scores are rounded where the definition rounds them: a mask of -1e9 leaves little of them.
  template <bool Biased>
  static void score(const AttentionHead& head, const Block& block, const Vector* queries, Vector* scores,
                    Vector (&largest)[V]) {
    size_t key = block.first_key;
    for (size_t t = block.first_tile; t < block.last_tile; ++t) {
      const KeyTile& tile = head.tiles[t];
      for (size_t first = 0; first < tile.tokens; first += 4) {
        Vector sum[4][V] = {};
        const float* keys = head.keys + tile.offset + head.first_row * tile.width + first;
        multiply_dense(sum, keys, 1, tile.width, head.head_size, queries);
        if (first + 4 <= tile.tokens) {
          finish<Biased, 4>(head, key, sum, scores, largest);
          key += 4;
          scores += 4 * V;
          continue;
        }
        KAPRUNE_UNROLL
        for (size_t r = 0; r < 3; ++r) {  // unrolled: sums stay in registers
          if (first + r == tile.tokens) break;
          Vector row[1][V];
          KAPRUNE_UNROLL
          for (int v = 0; v < V; ++v) row[0][v] = sum[r][v];
          finish<Biased, 1>(head, key++, row, scores, largest);
          scores += V;
        }
      }
    }
  }

  // Makes scores of the products of `Rows` keys. No branch or running maximum may come between them: products of the
  // next keys wait for neither.
  template <bool Biased, int Rows>
  static void finish(const AttentionHead& head, size_t key, Vector (&sum)[Rows][V], Vector* scores,
                     Vector (&largest)[V]) {
    const float scale = head.scale;
    KAPRUNE_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const float mask = head.mask[key + r];
      KAPRUNE_UNROLL
      for (int v = 0; v < V; ++v) {
        sum[r][v] = Biased ? sum[r][v] * scale + bias_of_key(head, key + r, v) + mask : sum[r][v] * scale + mask;
        scores[r * V + v] = sum[r][v];
      }
    }
    KAPRUNE_UNROLL
    for (int v = 0; v < V; ++v) {
      // In pairs, so that few wait for one another.
      KAPRUNE_UNROLL
      for (int r = 1; r < Rows; r += 2) sum[r][v] = max(sum[r - 1][v], sum[r][v]);
      if constexpr (Rows == 4) sum[3][v] = max(sum[1][v], sum[3][v]);
      largest[v] = max(largest[v], sum[Rows - 1][v]);
    }
  }

  // Makes powers of e, relative to the largest, of one vector of every key's scores, and returns their sum.
  static Vector raise(Vector* scores, size_t keys, Vector largest) {
    constexpr size_t kAtOnce = 4;  // as many as leave room for what exp() has of each
    Vector total = {};
    Vector power[kAtOnce];
    for (; keys >= kAtOnce; keys -= kAtOnce, scores += kAtOnce * V) {
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kAtOnce; ++i) power[i] = scores[i * V] - largest;
      exp(power);
      KAPRUNE_UNROLL
      for (size_t i = 0; i < kAtOnce; ++i) total += scores[i * V] = power[i];
    }
    for (; keys > 0; --keys, scores += V) {
      Vector last[] = {*scores - largest};
      exp(last);
      total += *scores = last[0];
    }
    return total;
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
  static void weigh(const AttentionHead& head, const Block& block, size_t feature, const Vector* powers,
                    const Vector (&factor)[V], Vector* output) {
    Vector* out = output + feature * V;
    Vector sum[Rows][V] = {};
    if (block.first_tile > 0) {
      KAPRUNE_UNROLL
      for (int i = 0; i < Rows * V; ++i) sum[i / V][i % V] = out[i] * factor[i % V];
    }
    for (size_t t = block.first_tile; t < block.last_tile; ++t) {
      const KeyTile& tile = head.tiles[t];
      const float* values = head.values + tile.offset + (head.first_row + feature) * tile.width;
      multiply_dense(sum, values, tile.width, 1, tile.tokens, powers);
      powers += tile.tokens * V;
    }
    KAPRUNE_UNROLL
    for (int i = 0; i < Rows * V; ++i) out[i] = sum[i / V][i % V];
  }
};

inline void attend(const AttentionHead& head, size_t vectors, const float* queries, float* scores, float* output) {
  with_vectors<Attention>(vectors, head, queries, scores, output);
}

}  // namespace kaprune::KAPRUNE_ISA
