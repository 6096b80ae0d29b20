// A checked matrix in the layout that the kernels like best.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "kernels/kernels.h"
#include "matrix/packed.h"

namespace kaprune {

// y = activation(W x + b) on tiles, in parts of rows that threads can share out.
//
// With int8 weights x is rounded first, to integers where the kernels have products of these.
class SparseMatrix {
 public:
  // How matrices that share an x take it as integers; none where one of them does not.
  static std::optional<Layout> common_layout(std::initializer_list<const PackedMatrix*> matrices,
                                             const Kernels& kernels);

  // Float32 blocks of a multiple of 4 rows and one column are used where they lie: `matrix` views initializers, which
  // live as long as the session. Everything else is repacked. layout: of `common_layout`.
  SparseMatrix(const PackedMatrix& matrix, const Kernels& kernels, std::optional<Layout> layout);
  SparseMatrix(const PackedMatrix& matrix, const Kernels& kernels)
      : SparseMatrix(matrix, kernels, common_layout({&matrix}, kernels)) {}

  size_t rows() const { return rows_; }

  // Rows of a tile that `multiply` writes: filled up to a multiple of 4.
  size_t padded_rows() const { return (rows_ + 3) / 4 * 4; }

  // Features that x needs; one that has more is read up to here, unless it is to be rounded.
  size_t columns() const { return columns_; }

  // Whether an x of so many features can be multiplied: with factors it has just these.
  bool takes(size_t features) const { return factors_ == nullptr ? columns_ <= features : columns_ == features; }

  // Vectors of tokens that tiles may have.
  size_t max_vectors() const {
    if (!panels_.empty()) return std::min(kernels_->max_vectors, kPanelTokens / kernels_->lanes);
    return layout_ ? std::min(kernels_->max_vectors, kernels_->dot_inputs) : kernels_->max_vectors;
  }

  // Whether `multiply` takes what `round` makes of x.
  bool rounds() const { return rounds_; }

  // Rows of a tile that has room for what `round` makes of x; 0 where there is nothing to round.
  size_t rounded_rows(size_t features) const {
    if (!layout_) return rounds_ ? features : 0;
    return (features + 2 * kernels_->dot_inputs - 1) / kernels_->dot_inputs * kernels_->dot_inputs;
  }

  void round(size_t features, size_t vectors, const float* x, float* rounded) const;

  size_t part_count() const { return (rows_ + part_rows_ - 1) / part_rows_; }
  size_t first_row(size_t part) const { return part * part_rows_; }
  size_t row_count(size_t part) const;

  // Computes the rows of one part. x: tile of `columns()` features, or a rounded one. y: tile of `padded_rows()`.
  void multiply(size_t part, Activation activation, size_t vectors, const float* x, float* y) const;

 private:
  // Most tokens of a tile that meets single weights: a slab's part of it about fills a first-level cache.
  static constexpr size_t kPanelTokens = 32;

  struct Panel {
    std::vector<Interleaved1x1::Slab> slabs;
    Interleaved1x1 view;
  };

  const float* expand_integers(const PackedMatrix& matrix);
  void group_integers(const PackedMatrix& matrix);
  void repack(const PackedMatrix& matrix);

  const Kernels* kernels_;
  size_t rows_;
  size_t columns_;
  bool rounds_;
  const float* factors_;
  std::optional<Layout> layout_;  // of the integers that it multiplies by; none where these are floats
  size_t part_rows_;

  Blocks4x1 blocks_{};
  Integers integers_{};
  std::vector<Panel> panels_;  // empty where one of these serves
  std::vector<int32_t> weights_, initial_;
  std::vector<uint32_t> group_rows_;
  std::vector<uint32_t> starts_, offsets_;
  std::vector<float> values_;
  std::vector<uint16_t> column_ids_;
  std::vector<float> bias_;
};

}  // namespace kaprune
