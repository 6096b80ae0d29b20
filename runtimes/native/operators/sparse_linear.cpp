#include "operators/sparse_linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "matrix/tiling.h"
#include "operators/inputs.h"
#include "operators/tiles.h"
#include "ort/phases.h"

namespace kaprune {

SparseLinear::SparseLinear(const ort::KernelInfo& info)
    : activation_(read_activation(info)), matrix_(read_packed(info, 1, "out_features", ""), kernels()) {}

void SparseLinear::compute(const ort::KernelContext& context) const {
  const ort::Tensor x = context.input(0);
  if (x.shape.empty() || !matrix_.takes(x.shape.back())) {
    throw ort::Error("X has fewer features than the matrix has columns, or other than it has factors");
  }
  const size_t features = x.shape.back();
  std::vector<int64_t> shape = x.shape;
  shape.back() = static_cast<int64_t>(matrix_.rows());
  float* y = context.output(0, shape);
  shape.pop_back();
  const size_t tokens = ort::size_of(shape);
  if (tokens == 0) return;

  const Kernels& kernel = kernels();
  const Tiling tiling(kernel, tokens, matrix_.max_vectors());
  const size_t used = matrix_.rounds() ? features : matrix_.columns();
  const size_t rounded = matrix_.rounded_rows(features);
  const ort::Scratch scratch(context, tiling.padded_tokens() * (used + rounded + matrix_.padded_rows()) + tokens);
  const Tiles x_tiles{scratch.data(), used};
  const Tiles rounded_tiles{x_tiles.memory + tiling.padded_tokens() * used, rounded};
  const Tiles y_tiles{rounded_tiles.memory + tiling.padded_tokens() * rounded, matrix_.padded_rows()};
  float* const marks = y_tiles.memory + tiling.padded_tokens() * matrix_.padded_rows();
  const Tiles& operand = matrix_.rounds() ? rounded_tiles : x_tiles;

  const auto step = [&](const ort::Task& task) {
    const Tile tile = tiling.tile(task.chain);
    if (task.stage == 0) {
      kernel.to_tile(x.as<float>() + tile.first_token * features, features, tile.tokens, used, tile.vectors,
                     x_tiles.at(tile));
      kernel.mark_not_finite(x.as<float>() + tile.first_token * features, features, tile.tokens, features,
                             marks + tile.first_token);
      if (matrix_.rounds()) matrix_.round(features, tile.vectors, x_tiles.at(tile), rounded_tiles.at(tile));
      return;
    }
    const size_t first_row = matrix_.first_row(task.index);
    matrix_.multiply(task.index, activation_, tile.vectors, operand.at(tile), y_tiles.at(tile));
    kernel.from_tile(y_tiles.at(tile) + first_row * tile.vectors * kernel.lanes, tile.vectors,
                     matrix_.row_count(task.index), tile.tokens, y + tile.first_token * matrix_.rows() + first_row,
                     matrix_.rows());
    // A sum leaves out the weights that are zero, and with them 0 times NaN.
    for (size_t token = tile.first_token; token < tile.first_token + tile.tokens; ++token) {
      if (!std::isnan(marks[token])) continue;
      std::fill_n(y + token * matrix_.rows() + first_row, matrix_.row_count(task.index),
                  std::numeric_limits<float>::quiet_NaN());
    }
  };
  ort::Phase steps(tiling.count(), std::array{size_t{1}, matrix_.part_count()}, step);
  ort::run(context, tiling.count(), steps);
}

}  // namespace kaprune
