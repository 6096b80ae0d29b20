#include "operators/sparse_feed_forward.h"

#include <algorithm>

#include "operators/inputs.h"
#include "operators/tiles.h"

namespace kaprune {

namespace {

// Tiles that go through the whole operator together: what lies between the two products then stays in a cache.
constexpr size_t kTilesAtOnce = 2;

}  // namespace

SparseFeedForward::SparseFeedForward(const ort::KernelInfo& info)
    : activation_(read_activation(info)),
      intermediate_(read_packed(info, 1, "intermediate_features", "intermediate_")),
      output_(read_packed(info, 6, "output_features", "output_")),
      norm_(ResidualNorm::read(info, 11, output_.rows())) {
  if (intermediate_.columns() > output_.rows()) {
    throw ort::Error("intermediate_col_indices has a column beyond output_features");
  }
  if (output_.columns() > intermediate_.rows()) {
    throw ort::Error("output_col_indices has a column beyond intermediate_features");
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
  const size_t most = std::min(tokens, kTilesAtOnce * kernel.max_vectors * kernel.lanes);
  const size_t outer = Tiles::floats(Tiling(kernel, most), 1, features);
  const ort::Scratch scratch(context, 2 * outer + Tiles::floats(Tiling(kernel, most), 1, intermediate_.rows()));
  for (size_t first = 0; first < tokens; first += most) {
    const size_t count = std::min(most, tokens - first);
    const Tiling tiling(kernel, count);
    const auto tiles = [&](size_t rows, float* memory) { return Tiles(kernel, tiling, count, 1, rows, memory); };
    const Tiles x_tiles = tiles(features, scratch.data());
    const Tiles y_tiles = tiles(features, scratch.data() + outer);
    const Tiles inner_tiles = tiles(intermediate_.rows(), scratch.data() + 2 * outer);

    x_tiles.fill(context, x.as<float>() + first * features);
    multiply(context, intermediate_, activation_, x_tiles, inner_tiles);
    multiply(context, output_, Activation::kNone, inner_tiles, y_tiles);
    norm_.finish(context, x_tiles, y_tiles, y + first * features);
  }
}

}  // namespace kaprune
