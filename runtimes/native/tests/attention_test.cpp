// Attention and layer normalization of every instruction set that this processor has, against sums in double.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "matrix/tiling.h"
#include "tests/aligned.h"
#include "tests/tested_kernels.h"

namespace {

using kaprune::Kernels;
using kaprune::Tile;
using kaprune::Tiling;

int failures = 0;

void require(bool holds, const Kernels& kernels, const char* what, size_t tokens, size_t features, double error) {
  if (holds) return;
  std::printf("%s: %s of %zu tokens, %zu features: off by %g\n", kernels.name, what, tokens, features, error);
  ++failures;
}

std::vector<float> normals(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// Cuts rows of tokens, float [tokens][features], into tiles in one piece of memory.
void fill(const Kernels& kernels, const Tiling& tiling, const std::vector<float>& rows, size_t features, float* tiles) {
  for (size_t index = 0; index < tiling.count(); ++index) {
    const Tile tile = tiling.tile(index);
    kernels.to_tile(rows.data() + tile.first_token * features, features, tile.tokens, features, tile.vectors,
                    tiles + tile.offset * features);
  }
}

void check_attention(const Kernels& kernels, size_t tokens, size_t head_size, bool biased) {
  constexpr size_t kHeads = 2;
  const size_t features = kHeads * head_size;
  const float scale = 1 / std::sqrt(static_cast<float>(head_size));
  const std::vector<float> q = normals(tokens * features, 1);
  const std::vector<float> k = normals(tokens * features, 2);
  const std::vector<float> v = normals(tokens * features, 3);
  const std::vector<float> bias = normals(kHeads * tokens * tokens, 4);
  std::vector<float> mask(tokens, 0.0f);
  for (size_t key = tokens - tokens / 3; key < tokens; ++key) mask[key] = -3.4028234e38f;

  const Tiling tiling(kernels, tokens, kernels.max_vectors);
  const size_t floats = tiling.padded_tokens() * features;
  Aligned q_tiles(floats), k_tiles(floats), v_tiles(floats), scores(kaprune::kKeysAtOnce * kernels.max_vectors * kernels.lanes);
  fill(kernels, tiling, q, features, q_tiles.data());
  fill(kernels, tiling, k, features, k_tiles.data());
  fill(kernels, tiling, v, features, v_tiles.data());
  std::vector<kaprune::KeyTile> key_tiles;
  for (size_t index = 0; index < tiling.count(); ++index) {
    const Tile tile = tiling.tile(index);
    key_tiles.push_back({tile.offset * features, tile.vectors * kernels.lanes, tile.tokens});
  }

  double worst = 0;
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t index = 0; index < tiling.count(); ++index) {
      const Tile tile = tiling.tile(index);
      const size_t width = tile.vectors * kernels.lanes;
      const float* own_bias = biased ? bias.data() + (head * tokens + tile.first_token) * tokens : nullptr;
      Aligned output(head_size * width);
      const kaprune::AttentionHead attention{key_tiles.data(), key_tiles.size(),  k_tiles.data(), v_tiles.data(),
                                             head * head_size, head_size,         scale,          mask.data(),
                                             own_bias,         tokens,            tile.tokens};
      const float* queries = q_tiles.data() + tile.offset * features + head * head_size * width;
      kernels.attend(attention, tile.vectors, queries, scores.data(), output.data());

      for (size_t i = 0; i < tile.tokens; ++i) {
        const size_t query = tile.first_token + i;
        std::vector<double> weights(tokens);
        double total = 0;
        for (size_t key = 0; key < tokens; ++key) {
          double score = 0;
          for (size_t d = head * head_size; d < (head + 1) * head_size; ++d) {
            score += double(q[query * features + d]) * k[key * features + d];
          }
          score = score * scale + mask[key] + (biased ? own_bias[i * tokens + key] : 0);
          total += weights[key] = std::exp(score);
        }
        for (size_t d = 0; d < head_size; ++d) {
          double expected = 0;
          for (size_t key = 0; key < tokens; ++key) {
            expected += weights[key] / total * v[key * features + head * head_size + d];
          }
          worst = std::max(worst, std::abs(expected - output.data()[d * width + i]));
        }
      }
    }
  }
  require(worst <= 2e-6, kernels, "attention", tokens, features, worst);
}

void check_norm(const Kernels& kernels, size_t vectors, size_t features) {
  const size_t tokens = vectors * kernels.lanes;
  const std::vector<float> x = normals(features * tokens, 1);
  const std::vector<float> residual = normals(features * tokens, 2);
  const std::vector<float> gamma = normals(features, 3);
  const std::vector<float> beta = normals(features, 4);
  constexpr float kEpsilon = 1e-5f;
  Aligned tile(x.size()), added(x.size());
  std::copy(x.begin(), x.end(), tile.data());
  std::copy(residual.begin(), residual.end(), added.data());
  kernels.add_and_normalize(added.data(), gamma.data(), beta.data(), features, kEpsilon, vectors, tile.data());

  double worst = 0;
  for (size_t token = 0; token < tokens; ++token) {
    const auto sum = [&](size_t feature) {
      return double(x[feature * tokens + token]) + residual[feature * tokens + token];
    };
    double mean = 0, variance = 0;
    for (size_t feature = 0; feature < features; ++feature) mean += sum(feature) / features;
    for (size_t feature = 0; feature < features; ++feature) variance += std::pow(sum(feature) - mean, 2) / features;
    for (size_t feature = 0; feature < features; ++feature) {
      const double expected = (sum(feature) - mean) / std::sqrt(variance + kEpsilon) * gamma[feature] + beta[feature];
      worst = std::max(worst, std::abs(expected - tile.data()[feature * tokens + token]));
    }
  }
  require(worst <= 5e-6, kernels, "layer normalization", tokens, features, worst);
}

}  // namespace

int main() {
  for (const Kernels* kernels : kaprune::tested_kernels()) {
    for (const size_t tokens : {1, 2, 7, 16, 50, 129, 300}) {
      for (const size_t head_size : {1, 6, 64}) {
        check_attention(*kernels, tokens, head_size, false);
        check_attention(*kernels, tokens, head_size, true);
      }
    }
    for (size_t vectors = 1; vectors <= kernels->max_vectors; ++vectors) {
      for (const size_t features : {2, 37, 768}) check_norm(*kernels, vectors, features);
    }
    std::printf("%s checked\n", kernels->name);
  }
  return failures == 0 ? 0 : 1;
}
