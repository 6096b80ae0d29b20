// How tokens are cut into tiles.
#pragma once

#include <cstddef>

#include "kernels/kernels.h"

namespace kaprune {

struct Tile {
  size_t first_token;
  size_t tokens;   // without those that fill up the last vector
  size_t vectors;  // width of the tile
  size_t offset;   // tokens, filled up, of all tiles before: the tile's place in a buffer, times its features
};

// Cuts `tokens` into tiles of nearly equal width, since narrow ones use the registers badly: 16 vectors become
// 3 3 3 3 2 2, not 3 3 3 3 3 1.
class Tiling {
 public:
  // max_vectors: of a tile.
  Tiling(const Kernels& kernels, size_t tokens, size_t max_vectors)
      : lanes_(kernels.lanes),
        tokens_(tokens),
        vectors_((tokens + lanes_ - 1) / lanes_),
        count_((vectors_ + max_vectors - 1) / max_vectors) {}

  size_t count() const { return count_; }

  // Tokens of all tiles, filled up to whole vectors.
  size_t padded_tokens() const { return vectors_ * lanes_; }

  Tile tile(size_t index) const {
    const size_t first = vectors_ * index / count_;
    const size_t vectors = vectors_ * (index + 1) / count_ - first;
    const size_t token = first * lanes_;
    const size_t left = tokens_ - token;
    const size_t width = vectors * lanes_;
    return {token, left < width ? left : width, vectors, token};
  }

 private:
  size_t lanes_;
  size_t tokens_;
  size_t vectors_;
  size_t count_;
};

}  // namespace kaprune
