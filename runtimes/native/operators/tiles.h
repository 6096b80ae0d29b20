// Activations as tiles in one piece of memory.
#pragma once

#include "matrix/tiling.h"

namespace kaprune {

struct Tiles {
  float* memory;
  size_t rows;  // of a tile

  float* at(const Tile& tile) const { return memory + tile.offset * rows; }
};

}  // namespace kaprune
