// A checked matrix in the layout that the kernels like best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/kernels.h"
#include "matrix/packed.h"

namespace kaprune {

// y = activation(W x + b) on tiles, in parts of rows that threads can share out.
class SparseMatrix {
 public:
  // Float32 blocks of a multiple of 4 rows and one column are used where they lie: `matrix` views initializers, which
  // live as long as the session. Everything else is repacked.
  explicit SparseMatrix(const PackedMatrix& matrix);

  size_t rows() const { return rows_; }

  // Rows of a tile that `multiply` writes: filled up to a multiple of 4.
  size_t padded_rows() const { return (rows_ + 3) / 4 * 4; }

  // Features that x needs; one that has more is read up to here.
  size_t columns() const { return columns_; }

  size_t part_count() const { return (rows_ + part_rows_ - 1) / part_rows_; }
  size_t first_row(size_t part) const { return part * part_rows_; }
  size_t row_count(size_t part) const;

  // Computes the rows of one part. x: tile of `columns()` features. y: tile of `padded_rows()`.
  void multiply(const Kernels& kernels, size_t part, Activation activation, size_t vectors, const float* x,
                float* y) const;

 private:
  struct Panel {
    std::vector<Interleaved1x1::Slab> slabs;
    Interleaved1x1 view;
  };

  const float* expand_integers(const PackedMatrix& matrix);
  void repack(const PackedMatrix& matrix);

  size_t rows_;
  size_t columns_;
  size_t part_rows_;

  Blocks4x1 blocks_{};

  std::vector<Panel> panels_;  // empty where `blocks_` serves
  std::vector<uint32_t> group_rows_;
  std::vector<uint32_t> starts_;
  std::vector<float> values_;
  std::vector<uint16_t> column_ids_;
  std::vector<float> bias_;
};

}  // namespace kaprune
