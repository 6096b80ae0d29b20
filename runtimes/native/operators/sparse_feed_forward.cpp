#include "operators/sparse_feed_forward.h"

#include <algorithm>
#include <array>

#include "matrix/tiling.h"
#include "operators/inputs.h"
#include "ort/phases.h"

namespace kaprune {

SparseFeedForward::SparseFeedForward(const ort::KernelInfo& info)
    : activation_(read_activation(info)),
      intermediate_(read_packed(info, 1, "intermediate_features", "intermediate_"), kernels()),
      output_(read_packed(info, 6, "output_features", "output_"), kernels()),
      norm_(ResidualNorm::read(info, 11, output_.rows())) {
  if (!intermediate_.takes(output_.rows())) {
    throw ort::Error("intermediate_col_indices has a column beyond output_features, or _scales factors for others");
  }
  if (!output_.takes(intermediate_.rows())) {
    throw ort::Error("output_col_indices has a column beyond intermediate_features, or _scales factors for others");
  }
}

void SparseFeedForward::compute(const ort::KernelContext& context) const {
  const ort::Tensor x = context.input(0);
  const size_t features = output_.rows();
  if (x.shape.empty() || static_cast<size_t>(x.shape.back()) != features) {
    throw ort::Error("X does not have output_features features");
  }
  float* y = context.output(0, x.shape);
  const size_t tokens = ort::size_of(x.shape) / features;
  if (tokens == 0) return;

  const Kernels& kernel = kernels();
  const size_t max_vectors = std::min(intermediate_.max_vectors(), output_.max_vectors());
  const Tiling tiling(kernel, tokens, max_vectors);
  const size_t width = max_vectors * kernel.lanes;
  const size_t outer = width * output_.padded_rows();
  const size_t inner = width * intermediate_.padded_rows();
  const size_t rounded_rows =
      std::max(intermediate_.rounded_rows(features), output_.rounded_rows(intermediate_.rows()));
  const size_t slot = 2 * outer + inner + width * rounded_rows;
  const ort::Scratch scratch(context, std::min(tiling.count(), ort::most_workers()) * slot);

  // A tile goes through the whole operator at once: what lies between its steps stays in a cache.
  const auto step = [&](const ort::Task& task) {
    const Tile tile = tiling.tile(task.chain);
    float* x_tile = scratch.data() + task.slot * slot;
    float* y_tile = x_tile + outer;
    float* inner_tile = y_tile + outer;
    float* rounded = inner_tile + inner;
    switch (task.stage) {
      case 0:
        kernel.to_tile(x.as<float>() + tile.first_token * features, features, tile.tokens, features, tile.vectors,
                       x_tile);
        if (intermediate_.rounds()) intermediate_.round(features, tile.vectors, x_tile, rounded);
        return;
      case 1:
        return intermediate_.multiply(task.index, activation_, tile.vectors, intermediate_.rounds() ? rounded : x_tile,
                                      inner_tile);
      case 2: return output_.round(intermediate_.rows(), tile.vectors, inner_tile, rounded);
      case 3:
        return output_.multiply(task.index, Activation::kNone, tile.vectors, output_.rounds() ? rounded : inner_tile,
                                y_tile);
      default: return norm_.finish(kernel, tile, features, x_tile, y_tile, y);
    }
  };
  ort::Phase steps(
      tiling.count(),
      std::array{size_t{1}, intermediate_.part_count(), size_t{output_.rounds()}, output_.part_count(), size_t{1}},
      step);
  ort::run(context, tiling.count(), steps);
}

}  // namespace kaprune
