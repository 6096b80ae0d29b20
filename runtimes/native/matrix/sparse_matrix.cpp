#include "matrix/sparse_matrix.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace kaprune {

namespace {

// Rows of a part: enough to use a tile well, few enough that two threads share even one tile evenly.
constexpr size_t kPartRows = 64;
constexpr size_t kPanelRows = 256;

// Columns of a slab: 24 to 32 tokens of them are a little more than a first-level cache of 32 KiB. Fewer stay there more
// surely, but leave each row less to do between taking up its sums and putting them down.
constexpr size_t kSlabColumns = 384;
constexpr size_t kMaxSlabs = 64;  // wider slabs beyond: each has a list of all rows
static_assert(kMaxColumns / kMaxSlabs <= 65536, "a slab's columns are counted in 16 bits");

// One part of the matrix, weight by weight: (column, value) of each row, the columns ascending.
struct Weight {
  size_t column;
  float value;
};

std::vector<std::vector<Weight>> expand(const PackedMatrix& matrix, size_t first_row, size_t row_count) {
  std::vector<std::vector<Weight>> rows(row_count);
  for (size_t i = 0; i < row_count; ++i) {
    const size_t row = first_row + i;
    const size_t block_row = row / matrix.block_rows;
    for (int32_t block = matrix.starts[block_row]; block < matrix.starts[block_row + 1]; ++block) {
      for (size_t c = 0; c < matrix.block_columns; ++c) {
        rows[i].push_back({matrix.block_column(block) * matrix.block_columns + c, matrix.weight(block, row, c)});
      }
    }
  }
  return rows;
}

bool in_blocks_of_four(const PackedMatrix& matrix) {
  return matrix.block_rows % 4 == 0 && matrix.block_columns == 1 && !matrix.wide_ids;
}

}  // namespace

std::optional<Layout> SparseMatrix::common_layout(std::initializer_list<const PackedMatrix*> matrices,
                                                  const Kernels& kernels) {
  // Sums of so many products of 8 bits fit 32.
  constexpr size_t kMostColumns = std::numeric_limits<int32_t>::max() / (128 * 128);
  const auto all = [&](const auto& condition) { return std::all_of(matrices.begin(), matrices.end(), condition); };
  if (kernels.dot_inputs == 0 || !all([](const PackedMatrix* matrix) {
        return matrix->integers != nullptr && matrix->columns <= kMostColumns;
      })) {
    return std::nullopt;
  }
  if (all([&](const PackedMatrix* matrix) { return matrix->block_columns % kernels.dot_inputs == 0; })) {
    return Layout::kLanes;
  }
  if (all([](const PackedMatrix* matrix) { return matrix->block_rows % 4 == 0; })) return Layout::kFeatures;
  return std::nullopt;
}

SparseMatrix::SparseMatrix(const PackedMatrix& matrix, const Kernels& kernels, std::optional<Layout> layout)
    : kernels_(&kernels), rows_(matrix.rows), columns_(matrix.columns), rounds_(matrix.integers != nullptr),
      factors_(matrix.factors), layout_(layout) {
  if (layout || in_blocks_of_four(matrix)) {
    part_rows_ = (kPartRows + matrix.block_rows - 1) / matrix.block_rows * matrix.block_rows;
  } else {
    part_rows_ = kPanelRows;
  }
  if (layout) {
    group_integers(matrix);
  } else if (in_blocks_of_four(matrix)) {
    blocks_ = {matrix.block_rows, rounds_ ? expand_integers(matrix) : matrix.values, matrix.starts,
               static_cast<const uint16_t*>(matrix.block_column_ids), matrix.bias};
  } else {
    repack(matrix);
  }
}

void SparseMatrix::group_integers(const PackedMatrix& matrix) {
  const size_t size = kernels_->dot_inputs;
  const size_t bits = 32 / size;
  const size_t block_rows = matrix.block_rows;
  const size_t rows_at_once = block_rows % 4 == 0 ? 4 : 1;
  const size_t columns_of_group = layout_ == Layout::kFeatures ? size : 1;
  initial_.resize(rows_);
  starts_.push_back(0);
  for (size_t first_row = 0; first_row < rows_; first_row += block_rows) {
    const int32_t* blocks = matrix.starts + first_row / block_rows;
    // The columns of the block row one after another, whichever blocks they are in.
    const size_t begin = blocks[0] * matrix.block_columns;
    const size_t end = blocks[1] * matrix.block_columns;
    for (size_t first = begin; first < end; first += size) {
      for (size_t place = first; place < first + columns_of_group; ++place) {
        const size_t within = std::min(place, end - 1);
        const size_t column =
            matrix.block_column(within / matrix.block_columns) * matrix.block_columns + within % matrix.block_columns;
        offsets_.push_back(static_cast<uint32_t>((size + column) * kernels_->lanes * sizeof(float)));
      }
    }
    for (size_t part = 0; part < block_rows; part += rows_at_once) {
      for (size_t first = begin; first < end; first += size) {
        for (size_t row = part; row < part + rows_at_once; ++row) {
          uint32_t group = 0;
          for (size_t i = 0; i < size && first + i < end; ++i) {
            const size_t block = (first + i) / matrix.block_columns;
            const size_t column = (first + i) % matrix.block_columns;
            const int8_t weight = matrix.integers[(block * block_rows + row) * matrix.block_columns + column];
            initial_[first_row + row] -= kernels_->dot_offset * weight;
            group |= (static_cast<uint32_t>(weight) & (size == 2 ? 0xffff : 0xff)) << (i * bits);
          }
          weights_.push_back(static_cast<int32_t>(group));
        }
      }
    }
    starts_.push_back(static_cast<uint32_t>(offsets_.size() / columns_of_group));
  }
  weights_.shrink_to_fit();
  offsets_.shrink_to_fit();
  integers_ = {*layout_,        block_rows,      weights_.data(), starts_.data(), offsets_.data(),
               initial_.data(), matrix.scales, matrix.bias};
}

const float* SparseMatrix::expand_integers(const PackedMatrix& matrix) {
  values_.reserve(matrix.blocks * matrix.block_rows);
  for (size_t first_row = 0; first_row < rows_; first_row += matrix.block_rows) {
    const int32_t* starts = matrix.starts + first_row / matrix.block_rows;
    for (int32_t block = starts[0]; block < starts[1]; ++block) {
      for (size_t row = 0; row < matrix.block_rows; ++row) {
        values_.push_back(matrix.weight(block, first_row + row, 0));
      }
    }
  }
  return values_.data();
}

size_t SparseMatrix::row_count(size_t part) const { return std::min(part_rows_, rows_ - first_row(part)); }

void SparseMatrix::round(size_t features, size_t vectors, const float* x, float* rounded) const {
  if (layout_) return kernels_->quantize_tile(*layout_, features, vectors, x, factors_, rounded);
  kernels_->round_tile(features, vectors, x, factors_, rounded);
}

void SparseMatrix::multiply(size_t part, Activation activation, size_t vectors, const float* x, float* y) const {
  y += first_row(part) * vectors * kernels_->lanes;
  if (!panels_.empty()) return kernels_->multiply_1x1(panels_[part].view, activation, vectors, x, y);
  const size_t block_rows = layout_ ? integers_.block_rows : blocks_.block_rows;
  const size_t first = first_row(part) / block_rows;
  const size_t last = first + row_count(part) / block_rows;
  if (layout_) {
    kernels_->multiply_int8(integers_, first, last, activation, vectors, x, y);
  } else {
    kernels_->multiply_4x1(blocks_, first, last, activation, vectors, x, y);
  }
}

void SparseMatrix::repack(const PackedMatrix& matrix) {
  const size_t weights = matrix.blocks * matrix.block_rows * matrix.block_columns;
  values_.reserve(weights + weights / 16);
  column_ids_.reserve(weights + weights / 16);
  bias_.assign(matrix.bias, matrix.bias + rows_);
  bias_.resize((rows_ + 3) / 4 * 4);
  starts_.push_back(0);

  const size_t slab_columns = std::max(kSlabColumns, (columns_ + kMaxSlabs - 1) / kMaxSlabs);
  const size_t slab_count = std::max<size_t>(1, (columns_ + slab_columns - 1) / slab_columns);
  for (size_t part = 0; part < part_count(); ++part) {
    const size_t row_total = row_count(part);
    const size_t padded_rows = (row_total + 3) / 4 * 4;
    std::vector<std::vector<Weight>> rows = expand(matrix, first_row(part), row_total);
    rows.resize(padded_rows);

    Panel panel;
    for (size_t slab = 0; slab < slab_count; ++slab) {
      const size_t first_column = slab * slab_columns;
      std::vector<std::pair<const Weight*, const Weight*>> ranges;
      for (const auto& row : rows) {
        const auto at = [&](size_t column) {
          return std::lower_bound(row.data(), row.data() + row.size(), column,
                                  [](const Weight& weight, size_t wanted) { return weight.column < wanted; });
        };
        ranges.emplace_back(at(first_column), at(first_column + slab_columns));
      }
      const auto length = [&](uint32_t row) { return ranges[row].second - ranges[row].first; };
      std::vector<uint32_t> order(padded_rows);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return length(a) < length(b); });

      const auto first_group = static_cast<uint32_t>(starts_.size() - 1);
      for (size_t first = 0; first < padded_rows; first += 4) {
        const uint32_t* members = order.data() + first;
        group_rows_.insert(group_rows_.end(), members, members + 4);
        for (std::ptrdiff_t step = 0; step < length(members[3]); ++step) {
          for (size_t i = 0; i < 4; ++i) {
            const bool filler = step >= length(members[i]);
            const Weight weight = filler ? Weight{first_column, 0} : ranges[members[i]].first[step];
            values_.push_back(weight.value);
            column_ids_.push_back(static_cast<uint16_t>(weight.column - first_column));
          }
        }
        starts_.push_back(static_cast<uint32_t>(values_.size() / 4));
      }
      panel.slabs.push_back({static_cast<uint32_t>(first_column), first_group,
                             static_cast<uint32_t>(starts_.size() - 1)});
    }
    panels_.push_back(std::move(panel));
  }

  values_.shrink_to_fit();
  column_ids_.shrink_to_fit();
  for (size_t part = 0; part < panels_.size(); ++part) {
    panels_[part].view = {panels_[part].slabs.data(), slab_count,         group_rows_.data(), starts_.data(),
                          values_.data(),             column_ids_.data(), bias_.data() + first_row(part)};
  }
}

}  // namespace kaprune
