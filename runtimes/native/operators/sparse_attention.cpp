#include "operators/sparse_attention.h"

#include <algorithm>
#include <array>
#include <vector>

#include "operators/inputs.h"
#include "operators/tiles.h"
#include "ort/phases.h"

namespace kaprune {

namespace {

size_t read_heads(const ort::KernelInfo& info) {
  const int64_t heads = info.int_attribute("num_heads");
  if (heads < 1) throw ort::Error("num_heads is below 1");
  return static_cast<size_t>(heads);
}

std::optional<Layout> common_layout(const std::array<PackedMatrix, 3>& projections) {
  return SparseMatrix::common_layout({&projections[0], &projections[1], &projections[2]}, kernels());
}

// Whether one rounding of x serves all of them.
bool share_factors(const std::array<PackedMatrix, 3>& projections) {
  const PackedMatrix& first = projections.front();
  return std::all_of(projections.begin(), projections.end(), [&](const PackedMatrix& other) {
    if (first.factors == nullptr || other.factors == nullptr) return first.factors == other.factors;
    return std::equal(first.factors, first.factors + first.columns, other.factors, other.factors + other.columns);
  });
}

// All of them round an x that they share alike; null where none does.
const SparseMatrix* first_that_rounds(std::initializer_list<const SparseMatrix*> matrices) {
  const auto found = std::find_if(matrices.begin(), matrices.end(), [](const auto* matrix) { return matrix->rounds(); });
  return found == matrices.end() ? nullptr : *found;
}

// What is added to the scores of each query and key, float [heads][tokens][tokens]; null where the model has none.
const float* position_bias(const ort::Tensor& bias, size_t heads, size_t tokens) {
  const auto length = static_cast<int64_t>(tokens);
  const float* numbers = bias.as<float>();
  if (bias.shape == std::vector<int64_t>{1, static_cast<int64_t>(heads), length, length}) return numbers;
  if (bias.shape != std::vector<int64_t>{1, 1, 1, 1}) {
    throw ort::Error("position_bias does not have shape [1, heads, tokens, tokens]");
  }
  if (*numbers != 0) throw ort::Error("position_bias is one number for all, but not 0");
  return nullptr;
}

// What is added to the scores of `tokens` keys: the mask, and NaN where the key's token is not finite. Keys themselves
// leave out the weights that are zero, and with them 0 times NaN.
void mask_keys(const float* x, size_t features, size_t tokens, const float* mask, float* masks) {
  kernels().mark_not_finite(x, features, tokens, features, masks);
  for (size_t token = 0; token < tokens; ++token) masks[token] += mask[token];
}

}  // namespace

SparseAttention::SparseAttention(const ort::KernelInfo& info)
    : SparseAttention(info, {read_packed(info, 3, "inner_features", "query_"),
                             read_packed(info, 8, "inner_features", "key_"),
                             read_packed(info, 13, "inner_features", "value_")}) {}

SparseAttention::SparseAttention(const ort::KernelInfo& info, const Projections& projections)
    : heads_(read_heads(info)),
      scale_(info.float_attribute("scale")),
      query_(projections[0], kernels(), common_layout(projections)),
      key_(projections[1], kernels(), common_layout(projections)),
      value_(projections[2], kernels(), common_layout(projections)),
      output_(read_packed(info, 18, "output_features", "output_"), kernels()),
      norm_(ResidualNorm::read(info, 23, output_.rows())) {
  if (query_.rows() % heads_ != 0) throw ort::Error("num_heads does not divide inner_features");
  const size_t features = output_.rows();
  if (!query_.takes(features) || !key_.takes(features) || !value_.takes(features)) {
    throw ort::Error("query_, key_ or value_col_indices has a column beyond output_features, or _scales factors for "
                     "others");
  }
  if (!output_.takes(value_.rows())) {
    throw ort::Error("output_col_indices has a column beyond inner_features, or _scales factors for others");
  }
  if (!share_factors(projections)) throw ort::Error("query_, key_ and value_scales have different factors");
}

void SparseAttention::compute(const ort::KernelContext& context) const {
  const ort::Tensor x = context.input(0);
  const size_t features = output_.rows();
  if (x.shape.size() != 3 || static_cast<size_t>(x.shape[2]) != features) {
    throw ort::Error("X does not have shape [sequences, tokens, output_features]");
  }
  const ort::Tensor mask = context.input(1);
  if (mask.shape != std::vector<int64_t>{x.shape[0], 1, 1, x.shape[1]}) {
    throw ort::Error("mask does not have shape [sequences, 1, 1, tokens]");
  }
  const size_t sequences = x.shape[0];
  const size_t tokens = x.shape[1];
  const float* bias = position_bias(context.input(2), heads_, tokens);
  float* y = context.output(0, x.shape);
  if (ort::size_of(x.shape) == 0) return;

  const Kernels& kernel = kernels();
  const Tiling tiling(kernel, tokens, std::min(query_.max_vectors(), output_.max_vectors()));
  const size_t head_size = query_.rows() / heads_;
  const size_t padded_tokens = sequences * tiling.padded_tokens();
  const size_t outer = padded_tokens * output_.padded_rows();
  const size_t inner = padded_tokens * query_.padded_rows();
  const size_t score_floats = kKeysAtOnce * kernel.max_vectors * kernel.lanes;
  const SparseMatrix* const rounding = first_that_rounds({&query_, &key_, &value_});
  const size_t rounded_rows =
      std::max({query_.rounded_rows(features), key_.rounded_rows(features), value_.rounded_rows(features),
                output_.rounded_rows(query_.rows())});
  const size_t rounded = padded_tokens * rounded_rows;
  const size_t all_scores = ort::most_workers() * score_floats;
  const ort::Scratch scratch(context, 2 * outer + 4 * inner + rounded + all_scores + sequences * tokens);
  const Tiles x_tiles{scratch.data(), output_.padded_rows()};
  const Tiles y_tiles{x_tiles.memory + outer, output_.padded_rows()};
  const Tiles queries{y_tiles.memory + outer, query_.padded_rows()};
  const Tiles keys{queries.memory + inner, query_.padded_rows()};
  const Tiles values{keys.memory + inner, query_.padded_rows()};
  const Tiles attended{values.memory + inner, query_.padded_rows()};
  const Tiles rounded_tiles{attended.memory + inner, rounded_rows};  // of x, then of what was attended to
  float* const scores = rounded_tiles.memory + rounded;
  float* const masks = scores + all_scores;

  // One of all tiles of all sequences; its offset and first token count from the first sequence.
  const auto tile_of = [&](size_t index) {
    Tile tile = tiling.tile(index % tiling.count());
    const size_t sequence = index / tiling.count();
    tile.first_token += sequence * tokens;
    tile.offset += sequence * tiling.padded_tokens();
    return tile;
  };

  const auto project = [&](const ort::Task& task) {
    const Tile tile = tile_of(task.chain);
    const auto multiply = [&](const SparseMatrix& matrix, const Tiles& to) {
      const Tiles& from = matrix.rounds() ? rounded_tiles : x_tiles;
      matrix.multiply(task.index, Activation::kNone, tile.vectors, from.at(tile), to.at(tile));
    };
    switch (task.stage) {
      case 0:
        kernel.to_tile(x.as<float>() + tile.first_token * features, features, tile.tokens, features, tile.vectors,
                       x_tiles.at(tile));
        mask_keys(x.as<float>() + tile.first_token * features, features, tile.tokens,
                  mask.as<float>() + tile.first_token, masks + tile.first_token);
        if (rounding != nullptr) rounding->round(features, tile.vectors, x_tiles.at(tile), rounded_tiles.at(tile));
        return;
      case 1: return multiply(query_, queries);
      case 2: return multiply(key_, keys);
      default: return multiply(value_, values);
    }
  };
  ort::Phase projections(sequences * tiling.count(),
                         std::array{size_t{1}, query_.part_count(), key_.part_count(), value_.part_count()}, project);

  std::vector<KeyTile> key_tiles;
  for (size_t index = 0; index < tiling.count(); ++index) {
    const Tile tile = tiling.tile(index);
    key_tiles.push_back({tile.offset * keys.rows, tile.vectors * kernel.lanes, tile.tokens});
  }
  // A chain is one head of one sequence: its keys and values stay in a cache.
  const auto attend = [&](const ort::Task& task) {
    const size_t sequence = task.chain / heads_;
    const size_t head = task.chain % heads_;
    const Tile tile = tile_of(sequence * tiling.count() + task.index);
    const size_t first_row = head * head_size;
    const size_t place = first_row * tile.vectors * kernel.lanes;
    const size_t first_query = tile.first_token - sequence * tokens;
    const size_t own = sequence * tiling.padded_tokens() * keys.rows;
    const AttentionHead attention{
        key_tiles.data(),
        key_tiles.size(),
        keys.memory + own,
        values.memory + own,
        first_row,
        head_size,
        scale_,
        masks + sequence * tokens,
        bias == nullptr ? nullptr : bias + (head * tokens + first_query) * tokens,
        tokens,
        tile.tokens,
    };
    kernel.attend(attention, tile.vectors, queries.at(tile) + place, scores + task.worker * score_floats,
                  attended.at(tile) + place);
  };
  ort::Phase heads(sequences * heads_, std::array{tiling.count()}, attend);

  const auto join = [&](const ort::Task& task) {
    const Tile tile = tile_of(task.chain);
    if (task.stage == 0) {
      return output_.round(query_.rows(), tile.vectors, attended.at(tile), rounded_tiles.at(tile));
    }
    if (task.stage == 1) {
      const Tiles& from = output_.rounds() ? rounded_tiles : attended;
      return output_.multiply(task.index, Activation::kNone, tile.vectors, from.at(tile), y_tiles.at(tile));
    }
    norm_.finish(kernel, tile, features, x_tiles.at(tile), y_tiles.at(tile), y);
  };
  ort::Phase outputs(sequences * tiling.count(), std::array{size_t{output_.rounds()}, output_.part_count(), size_t{1}},
                     join);

  ort::run(context, sequences * tiling.count(), projections, heads, outputs);
}

}  // namespace kaprune
