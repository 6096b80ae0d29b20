// Every instruction set that this processor has, against sums in double: products, activation, tiles.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "matrix/sparse_matrix.h"
#include "matrix/tiling.h"
#include "tests/aligned.h"
#include "tests/tested_kernels.h"

namespace {

using kaprune::Activation;
using kaprune::Kernels;

int failures = 0;

// A random packed matrix and the tensors that it views.
struct RandomMatrix {
  std::vector<float> values, bias;
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> narrow;
  std::vector<uint32_t> wide;
  kaprune::PackedMatrix packed;

  RandomMatrix(size_t rows, size_t columns, size_t block_rows, size_t block_columns, double density, bool wide_ids) {
    std::mt19937 random(static_cast<uint32_t>(rows * 31 + columns));
    std::normal_distribution<float> normal;
    std::bernoulli_distribution kept(density);
    size_t end = 0;
    for (size_t row = 0; row < rows / block_rows; ++row) {
      for (size_t column = 0; column < columns / block_columns; ++column) {
        if (!kept(random)) continue;
        narrow.push_back(static_cast<uint16_t>(column));
        wide.push_back(static_cast<uint32_t>(column));
        end = std::max(end, column + 1);
        for (size_t i = 0; i < block_rows * block_columns; ++i) values.push_back(normal(random));
      }
      starts.push_back(static_cast<int32_t>(wide.size()));
    }
    for (size_t row = 0; row < rows; ++row) bias.push_back(normal(random));
    packed = {rows, end * block_columns, block_rows, block_columns, wide.size(), values.data(), starts.data(),
              wide_ids ? static_cast<const void*>(wide.data()) : narrow.data(), wide_ids, bias.data()};
  }

  double product(size_t row, const float* x) const {
    double sum = bias[row];
    const size_t block_row = row / packed.block_rows;
    for (int32_t block = starts[block_row]; block < starts[block_row + 1]; ++block) {
      for (size_t c = 0; c < packed.block_columns; ++c) {
        const size_t place = (block * packed.block_rows + row % packed.block_rows) * packed.block_columns + c;
        sum += double(values[place]) * x[packed.block_column(block) * packed.block_columns + c];
      }
    }
    return sum;
  }
};

void check_matrix(const Kernels& kernels, const RandomMatrix& matrix, size_t columns, size_t tokens,
                  Activation activation) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * columns);
  for (float& value : x) value = normal(random);

  const kaprune::SparseMatrix sparse(matrix.packed);
  const kaprune::Tiling tiling(kernels, tokens);
  const size_t rows = matrix.packed.rows;
  std::vector<float> y(tokens * rows);
  for (size_t index = 0; index < tiling.count(); ++index) {
    const kaprune::Tile tile = tiling.tile(index);
    const size_t width = tile.vectors * kernels.lanes;
    Aligned x_tile(columns * width);
    Aligned y_tile((rows + 3) * width);
    kernels.to_tile(x.data() + tile.first_token * columns, columns, tile.tokens, columns, tile.vectors, x_tile.data());
    for (size_t part = 0; part < sparse.part_count(); ++part) {
      sparse.multiply(kernels, part, activation, tile.vectors, x_tile.data(), y_tile.data());
    }
    kernels.from_tile(y_tile.data(), tile.vectors, rows, tile.tokens, y.data() + tile.first_token * rows, rows);
  }

  double worst = 0;
  double largest = 0;
  for (size_t token = 0; token < tokens; ++token) {
    for (size_t row = 0; row < rows; ++row) {
      double expected = matrix.product(row, x.data() + token * columns);
      if (activation == Activation::kGelu) expected *= 0.5 * (1 + std::erf(expected / std::sqrt(2.0)));
      worst = std::max(worst, std::abs(expected - y[token * rows + row]));
      largest = std::max(largest, std::abs(expected));
    }
  }
  if (!(worst <= 2e-6 * largest)) {
    std::printf("%s: %zu x %zu, blocks %zu x %zu, %zu tokens: off by %g of %g\n", kernels.name, rows, columns,
                matrix.packed.block_rows, matrix.packed.block_columns, tokens, worst, largest);
    ++failures;
  }
}

}  // namespace

int main() {
  struct Shape {
    size_t rows, columns, block_rows, block_columns;
  };
  const Shape shapes[] = {{1, 1, 1, 1}, {7, 600, 1, 1}, {300, 70, 1, 1},  {8, 16, 4, 1},
                          {72, 90, 8, 1}, {64, 32, 4, 4}, {30, 50, 3, 5}, {12, 33, 12, 1}};
  for (const Kernels* kernels : kaprune::tested_kernels()) {
    for (const Shape& shape : shapes) {
      for (const double density : {0.0, 0.1, 1.0}) {
        for (const bool wide_ids : {false, true}) {
          const RandomMatrix matrix(shape.rows, shape.columns, shape.block_rows, shape.block_columns, density, wide_ids);
          for (const size_t tokens : {1, 5, 16, 33, 100}) {
            for (const Activation activation : {Activation::kNone, Activation::kGelu}) {
              check_matrix(*kernels, matrix, shape.columns, tokens, activation);
            }
          }
        }
      }
    }
    std::printf("%s checked\n", kernels->name);
  }
  return failures == 0 ? 0 : 1;
}
