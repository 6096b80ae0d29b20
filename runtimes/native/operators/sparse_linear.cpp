#include "operators/sparse_linear.h"

#include "matrix/tiling.h"
#include "operators/inputs.h"

namespace kaprune {

SparseLinear::SparseLinear(const ort::KernelInfo& info)
    : activation_(read_activation(info)), matrix_(read_packed(info, 1, "out_features", "")) {}

void SparseLinear::compute(const ort::KernelContext& context) const {
  const ort::Tensor x = context.input(0);
  if (x.shape.empty() || static_cast<size_t>(x.shape.back()) < matrix_.columns()) {
    throw ort::Error("X has fewer features than the matrix has columns");
  }
  const size_t features = x.shape.back();
  std::vector<int64_t> shape = x.shape;
  shape.back() = static_cast<int64_t>(matrix_.rows());
  float* y = context.output(0, shape);
  shape.pop_back();
  const size_t tokens = ort::size_of(shape);
  if (tokens == 0) return;

  const Kernels& kernel = kernels();
  const Tiling tiling(kernel, tokens);
  const size_t rows = matrix_.rows();
  const size_t padded_rows = (rows + 3) / 4 * 4;
  const ort::Scratch scratch(context, tiling.padded_tokens() * (matrix_.columns() + padded_rows));
  float* x_tiles = scratch.data();
  float* y_tiles = x_tiles + tiling.padded_tokens() * matrix_.columns();

  context.parallel_for(tiling.count(), [&](size_t index) {
    const Tiling::Tile tile = tiling.tile(index);
    kernel.to_tile(x.as<float>() + tile.first_token * features, features, tile.tokens, matrix_.columns(), tile.vectors,
                   x_tiles + tile.offset * matrix_.columns());
  });
  const size_t parts = matrix_.part_count();
  context.parallel_for(tiling.count() * parts, [&](size_t index) {
    const Tiling::Tile tile = tiling.tile(index / parts);
    const size_t part = index % parts;
    const size_t first_row = matrix_.first_row(part);
    float* y_tile = y_tiles + tile.offset * padded_rows + first_row * tile.vectors * kernel.lanes;
    matrix_.multiply(kernel, part, activation_, tile.vectors, x_tiles + tile.offset * matrix_.columns(), y_tile);
    kernel.from_tile(y_tile, tile.vectors, matrix_.row_count(part), tile.tokens,
                     y + tile.first_token * rows + first_row, rows);
  });
}

}  // namespace kaprune
