// Activations of a whole input as tiles in one piece of memory.
#pragma once

#include "kernels/kernels.h"
#include "matrix/sparse_matrix.h"
#include "matrix/tiling.h"
#include "ort/operator.h"

namespace kaprune {

// Cuts each of `sequences` texts of equally many tokens into tiles of its own.
class Tiles {
 public:
  struct Tile {
    size_t sequence;
    size_t first_token;  // of all tokens of all sequences
    size_t tokens;       // without those that fill up the last vector
    size_t vectors;
    size_t offset;  // of the tile's tokens, filled up, in its sequence
  };

  // Floats that the tiles take.
  static size_t floats(const Tiling& tiling, size_t sequences, size_t features) {
    return sequences * tiling.padded_tokens() * padded(features);
  }

  Tiles(const Kernels& kernels, const Tiling& tiling, size_t tokens, size_t sequences, size_t features, float* memory)
      : kernels_(kernels), tiling_(tiling), tokens_(tokens), sequences_(sequences), features_(features), memory_(memory) {}

  const Kernels& kernels() const { return kernels_; }
  const Tiling& tiling() const { return tiling_; }
  size_t count() const { return sequences_ * tiling_.count(); }
  size_t features() const { return features_; }

  // Rows of a tile: features filled up to a multiple of 4, as products write them.
  size_t rows() const { return padded(features_); }

  Tile tile(size_t index) const {
    const size_t sequence = index / tiling_.count();
    const Tiling::Tile tile = tiling_.tile(index % tiling_.count());
    return {sequence, sequence * tokens_ + tile.first_token, tile.tokens, tile.vectors, tile.offset};
  }

  float* sequence_data(size_t sequence) const { return memory_ + sequence * tiling_.padded_tokens() * rows(); }

  float* data(size_t index) const {
    const Tile found = tile(index);
    return sequence_data(found.sequence) + found.offset * rows();
  }

  // Reads rows of tokens, float [tokens of all sequences][features].
  void fill(const ort::KernelContext& context, const float* from) const {
    context.parallel_for(count(), [&](size_t index) {
      const Tile to = tile(index);
      kernels_.to_tile(from + to.first_token * features_, features_, to.tokens, features_, to.vectors, data(index));
    });
  }

 private:
  static size_t padded(size_t features) { return (features + 3) / 4 * 4; }

  const Kernels& kernels_;
  const Tiling& tiling_;
  size_t tokens_;
  size_t sequences_;
  size_t features_;
  float* memory_;
};

// y = activation(matrix x + bias) for all tiles. Neighbouring tasks share a tile, which then comes from a cache.
inline void multiply(const ort::KernelContext& context, const SparseMatrix& matrix, Activation activation,
                     const Tiles& x, const Tiles& y) {
  const size_t tiles = x.count();
  context.parallel_for(matrix.part_count() * tiles, [&](size_t task) {
    const size_t part = task % matrix.part_count();
    const size_t index = task / matrix.part_count();
    const size_t vectors = x.tile(index).vectors;
    float* rows = y.data(index) + matrix.first_row(part) * vectors * x.kernels().lanes;
    matrix.multiply(x.kernels(), part, activation, vectors, x.data(index), rows);
  });
}

}  // namespace kaprune
