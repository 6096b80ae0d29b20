// Attention, layer normalization and the marks of what is not finite, of every instruction set that this processor has,
// against sums in double.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "matrix/tiling.h"
#include "tests/aligned.h"
#include "tests/difference.h"
#include "tests/tested_kernels.h"

namespace {

using kaprune::Difference;
using kaprune::Kernels;
using kaprune::Tile;
using kaprune::Tiling;

int failures = 0;

void require(const Difference& difference, double tolerance, const Kernels& kernels, const char* what, size_t tokens,
             size_t features) {
  if (difference.largest() <= tolerance) return;
  std::printf("%s: %s of %zu tokens, %zu features: off by %g\n", kernels.name, what, tokens, features,
              difference.largest());
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

constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// `other` for a share of the keys, which are in the middle, at an end, or every second one; `most` for the rest.
struct Mask {
  const char* name;
  float most;
  float other;
  bool (*is_other)(size_t key, size_t tokens);
};

constexpr auto kLastThird = [](size_t key, size_t tokens) { return key >= tokens - tokens / 3; };
constexpr auto kFirstThird = [](size_t key, size_t tokens) { return key < tokens / 3; };
constexpr auto kEverySecond = [](size_t key, size_t) { return key % 2 == 1; };
constexpr auto kMiddle = [](size_t key, size_t tokens) { return key == tokens / 2; };

const Mask kPadding{"padding", 0, kLowest, kLastThird};
const Mask kMasks[] = {
    {"padding at the start", 0, kLowest, kFirstThird},
    {"nothing but padding", kLowest, kLowest, kMiddle},
    {"minus infinity", 0, -kInfinity, kLastThird},
    {"minus infinity at the start", 0, -kInfinity, kFirstThird},
    {"nothing but minus infinity", -kInfinity, -kInfinity, kMiddle},
    {"lowest beside minus infinity", kLowest, -kInfinity, kEverySecond},
    {"minus infinity before lowest", kLowest, -kInfinity, kFirstThird},
    {"lowest before minus infinity", kLowest, -kInfinity, kLastThird},
    {"minus infinity but for one", -kInfinity, 0, kMiddle},
    {"-1e30", -1e30f, -1e30f, kMiddle},
    {"2", 0, 2, kEverySecond},
    {"the highest", 0, -kLowest, kMiddle},
    {"infinity", 0, kInfinity, kMiddle},
    {"NaN", 0, kNaN, kMiddle},
    {"NaN at the end", 0, kNaN, kLastThird},
    {"NaN beside infinity", -kInfinity, kNaN, kFirstThird},
};

void check_attention(const Kernels& kernels, size_t tokens, size_t head_size, bool biased, const Mask& masking) {
  constexpr size_t kHeads = 2;
  const size_t features = kHeads * head_size;
  const float scale = 1 / std::sqrt(static_cast<float>(head_size));
  const std::vector<float> q = normals(tokens * features, 1);
  const std::vector<float> k = normals(tokens * features, 2);
  const std::vector<float> v = normals(tokens * features, 3);
  const std::vector<float> bias = normals(kHeads * tokens * tokens, 4);
  std::vector<float> mask(tokens);
  for (size_t key = 0; key < tokens; ++key) {
    mask[key] = masking.is_other(key, tokens) ? masking.other : masking.most;
  }

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

  Difference difference;
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
        float largest = -kInfinity;
        for (size_t key = 0; key < tokens; ++key) {
          double score = 0;
          for (size_t d = head * head_size; d < (head + 1) * head_size; ++d) {
            score += double(q[query * features + d]) * k[key * features + d];
          }
          // In float32, as the definition has it: the mask may be so large that nothing is left of the rest.
          const float biased_score = static_cast<float>(score * scale) + (biased ? own_bias[i * tokens + key] : 0);
          const float masked_score = biased_score + mask[key];
          weights[key] = masked_score;
          largest = std::max(largest, masked_score);
        }
        for (double& weight : weights) total += weight = std::exp(weight - largest);
        for (size_t d = 0; d < head_size; ++d) {
          double expected = 0;
          for (size_t key = 0; key < tokens; ++key) {
            expected += weights[key] / total * v[key * features + head * head_size + d];
          }
          difference.add(expected, output.data()[d * width + i]);
        }
      }
    }
  }
  require(difference, 2e-6, kernels, masking.name, tokens, features);
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

  Difference difference;
  for (size_t token = 0; token < tokens; ++token) {
    const auto sum = [&](size_t feature) {
      return double(x[feature * tokens + token]) + residual[feature * tokens + token];
    };
    double mean = 0, variance = 0;
    for (size_t feature = 0; feature < features; ++feature) mean += sum(feature) / features;
    for (size_t feature = 0; feature < features; ++feature) variance += std::pow(sum(feature) - mean, 2) / features;
    for (size_t feature = 0; feature < features; ++feature) {
      const double expected = (sum(feature) - mean) / std::sqrt(variance + kEpsilon) * gamma[feature] + beta[feature];
      difference.add(expected, tile.data()[feature * tokens + token]);
    }
  }
  require(difference, 5e-6, kernels, "layer normalization", tokens, features);
}

// One number of each second token is not finite, at every place in turn.
void check_marks(const Kernels& kernels, size_t features) {
  constexpr size_t kTokens = 4;
  for (const float number : {kNaN, -kNaN, kInfinity, -kInfinity, kLowest}) {
    for (size_t place = 0; place < features; ++place) {
      std::vector<float> x = normals(kTokens * (features + 1), 1);
      for (size_t token = 1; token < kTokens; token += 2) x[token * (features + 1) + place] = number;
      float marks[kTokens];
      kernels.mark_not_finite(x.data(), features + 1, kTokens, features, marks);
      Difference difference;
      for (size_t token = 0; token < kTokens; ++token) {
        difference.add(token % 2 == 0 || number == kLowest ? 0 : kNaN, marks[token]);
      }
      require(difference, 0, kernels, "marks", kTokens, features);
    }
  }
}

}  // namespace

int main() {
  for (const Kernels* kernels : kaprune::tested_kernels()) {
    for (const size_t tokens : {1, 2, 7, 16, 50, 129, 300}) {
      for (const size_t head_size : {1, 6, 64}) {
        check_attention(*kernels, tokens, head_size, false, kPadding);
        check_attention(*kernels, tokens, head_size, true, kPadding);
      }
      for (const Mask& mask : kMasks) {
        check_attention(*kernels, tokens, 6, false, mask);
        check_attention(*kernels, tokens, 6, true, mask);
      }
    }
    for (const size_t features : {1, 5, 64, 75}) check_marks(*kernels, features);
    for (size_t vectors = 1; vectors <= kernels->max_vectors; ++vectors) {
      for (const size_t features : {2, 37, 768}) check_norm(*kernels, vectors, features);
    }
    std::printf("%s checked\n", kernels->name);
  }
  return failures == 0 ? 0 : 1;
}
