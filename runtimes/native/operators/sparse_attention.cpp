#include "operators/sparse_attention.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "operators/inputs.h"
#include "operators/tiles.h"

namespace kaprune {

namespace {

size_t read_heads(const ort::KernelInfo& info) {
  const int64_t heads = info.int_attribute("num_heads");
  if (heads < 1) throw ort::Error("num_heads is below 1");
  return static_cast<size_t>(heads);
}

// Adds this to the scores of each query and key, float [heads][tokens][tokens]; null where it is the same for all keys
// and so changes nothing.
const float* position_bias(const ort::Tensor& bias, size_t heads, size_t tokens) {
  if (bias.shape == std::vector<int64_t>{1, 1, 1, 1}) return nullptr;
  const auto length = static_cast<int64_t>(tokens);
  if (bias.shape != std::vector<int64_t>{1, static_cast<int64_t>(heads), length, length}) {
    throw ort::Error("position_bias does not have shape [1, heads, tokens, tokens]");
  }
  return bias.as<float>();
}

}  // namespace

SparseAttention::SparseAttention(const ort::KernelInfo& info)
    : heads_(read_heads(info)),
      scale_(info.float_attribute("scale")),
      query_(read_packed(info, 3, "inner_features", "query_")),
      key_(read_packed(info, 8, "inner_features", "key_")),
      value_(read_packed(info, 13, "inner_features", "value_")),
      output_(read_packed(info, 18, "output_features", "output_")),
      norm_(ResidualNorm::read(info, 23, output_.rows())) {
  if (query_.rows() % heads_ != 0) throw ort::Error("num_heads does not divide inner_features");
  if (std::max({query_.columns(), key_.columns(), value_.columns()}) > output_.rows()) {
    throw ort::Error("query_, key_ or value_col_indices has a column beyond output_features");
  }
  if (output_.columns() > value_.rows()) throw ort::Error("output_col_indices has a column beyond inner_features");
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
  const Tiling tiling(kernel, tokens);
  const size_t inner = query_.rows();
  const size_t head_size = inner / heads_;
  const size_t outer_floats = Tiles::floats(tiling, sequences, features);
  const size_t inner_floats = Tiles::floats(tiling, sequences, inner);
  const size_t score_floats = tiling.padded_tokens() * kernel.max_vectors * kernel.lanes;
  const size_t tasks = sequences * tiling.count() * heads_;
  const size_t workers = std::min<size_t>(tasks, std::max(1u, std::thread::hardware_concurrency()));
  const ort::Scratch scratch(context, 2 * outer_floats + 4 * inner_floats + workers * score_floats);
  const auto tiles = [&](size_t rows, float* memory) {
    return Tiles(kernel, tiling, tokens, sequences, rows, memory);
  };
  float* memory = scratch.data();
  const Tiles x_tiles = tiles(features, memory);
  const Tiles y_tiles = tiles(features, memory += outer_floats);
  const Tiles queries = tiles(inner, memory += outer_floats);
  const Tiles keys = tiles(inner, memory += inner_floats);
  const Tiles values = tiles(inner, memory += inner_floats);
  const Tiles attended = tiles(inner, memory += inner_floats);
  float* scores = memory + inner_floats;

  x_tiles.fill(context, x.as<float>());
  multiply(context, query_, Activation::kNone, x_tiles, queries);
  multiply(context, key_, Activation::kNone, x_tiles, keys);
  multiply(context, value_, Activation::kNone, x_tiles, values);

  std::vector<KeyTile> key_tiles;
  for (size_t index = 0; index < tiling.count(); ++index) {
    const Tiling::Tile tile = tiling.tile(index);
    key_tiles.push_back({tile.offset * keys.rows(), tile.vectors * kernel.lanes, tile.tokens});
  }
  const auto attend = [&](size_t task, float* own_scores) {
    const size_t head = task / queries.count();
    const size_t index = task % queries.count();
    const Tiles::Tile tile = queries.tile(index);
    const size_t first_row = head * head_size;
    const size_t place = first_row * tile.vectors * kernel.lanes;
    const size_t first_query = tile.first_token - tile.sequence * tokens;
    const AttentionHead attention{
        key_tiles.data(),
        key_tiles.size(),
        keys.sequence_data(tile.sequence),
        values.sequence_data(tile.sequence),
        first_row,
        head_size,
        scale_,
        mask.as<float>() + tile.sequence * tokens,
        bias == nullptr ? nullptr : bias + (head * tokens + first_query) * tokens,
        tokens,
        tile.tokens,
    };
    kernel.attend(attention, tile.vectors, queries.data(index) + place, own_scores, attended.data(index) + place);
  };
  std::atomic<size_t> next{0};
  context.parallel_for(workers, [&](size_t worker) {
    for (size_t task = next++; task < tasks; task = next++) attend(task, scores + worker * score_floats);
  });

  multiply(context, output_, Activation::kNone, attended, y_tiles);
  norm_.finish(context, x_tiles, y_tiles, y);
}

}  // namespace kaprune
