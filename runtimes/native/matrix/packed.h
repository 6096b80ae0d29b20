// A packed matrix as the model file holds it (docs/format.md), checked: whatever reads a `PackedMatrix` may trust it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ort/operator.h"

namespace kaprune {

// The widest matrix, far beyond any encoder's: what a file's column numbers can make the library allocate has a bound.
constexpr size_t kMaxColumns = size_t{1} << 22;

// A matrix [rows, columns] of which only some blocks are kept; views into the session's initializers.
struct PackedMatrix {
  size_t rows;
  size_t columns;  // up to the last one that holds a block, an input may have more; with `factors` all of them
  size_t block_rows;
  size_t block_columns;
  size_t blocks;
  const float* values;      // [blocks][block_rows][block_columns]; null where `integers` has the weights
  const int32_t* starts;    // [rows / block_rows + 1]
  const void* block_column_ids;
  bool wide_ids;  // uint32, not uint16
  const float* bias;        // [rows]
  const int8_t* integers = nullptr;  // as `values`, to be multiplied by
  const float* scales = nullptr;     // [rows]
  const float* factors = nullptr;    // [columns], by which x is multiplied before it is rounded; null for none

  // The weight in column `column` of a block and in row `row` of the matrix, which is one of the block's.
  float weight(size_t block, size_t row, size_t column) const {
    const size_t place = (block * block_rows + row % block_rows) * block_columns + column;
    return values != nullptr ? values[place] : scales[row] * integers[place];
  }

  size_t block_column(size_t block) const {
    return wide_ids ? static_cast<const uint32_t*>(block_column_ids)[block]
                    : static_cast<const uint16_t*>(block_column_ids)[block];
  }
};

// The five tensors that make a packed matrix.
struct PackedTensors {
  std::optional<ort::Tensor> values, crow_indices, col_indices, scales, bias;
};

// Checks every rule of the format.
//
// Throws ort::Error naming the tensor, prefixed as in `prefix`crow_indices, and what is wrong with it.
PackedMatrix check_packed(const PackedTensors& tensors, int64_t out_features, const std::vector<int64_t>& blocksize,
                          const std::string& prefix);

}  // namespace kaprune
