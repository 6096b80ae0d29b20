// Every instruction set that this processor has, against sums in double: products, activation, tiles.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "matrix/sparse_matrix.h"
#include "matrix/tiling.h"
#include "tests/aligned.h"
#include "tests/difference.h"
#include "tests/tested_kernels.h"

namespace {

using kaprune::Activation;
using kaprune::Kernels;

int failures = 0;

// A random packed matrix and the tensors that it views.
struct RandomMatrix {
  std::vector<float> values, scales, factors, bias;
  std::vector<int8_t> integers;
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> narrow;
  std::vector<uint32_t> wide;
  kaprune::PackedMatrix packed;

  RandomMatrix(size_t rows, size_t columns, size_t block_rows, size_t block_columns, double density, bool wide_ids,
               bool in_int8) {
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
    for (size_t row = 0; row < rows; ++row) {
      bias.push_back(normal(random));
      scales.push_back(in_int8 ? 0.01f + 0.01f * static_cast<float>(row % 7) : 1);
    }
    std::uniform_int_distribution<int> integer(-128, 127);
    for (float& value : values) {
      if (in_int8) value = static_cast<float>(integer(random));
      integers.push_back(static_cast<int8_t>(value));
    }
    packed = {rows, end * block_columns, block_rows, block_columns, wide.size(), in_int8 ? nullptr : values.data(),
              starts.data(), wide_ids ? static_cast<const void*>(wide.data()) : narrow.data(), wide_ids, bias.data(),
              in_int8 ? integers.data() : nullptr, in_int8 ? scales.data() : nullptr};
  }

  // Has features multiplied before they are rounded.
  void equalize(size_t columns) {
    for (size_t column = 0; column < columns; ++column) factors.push_back(0.1f + static_cast<float>(column % 5));
    packed.columns = columns;
    packed.factors = factors.data();
  }

  // What a matrix of int8 makes of the features of a token before it multiplies them.
  std::vector<float> rounded(const float* x, size_t columns) const {
    std::vector<float> result(x, x + columns);
    if (packed.integers == nullptr) return result;
    for (size_t column = 0; column < factors.size(); ++column) result[column] *= factors[column];
    float largest = 1e-30f;
    for (const float value : result) largest = std::max(largest, std::abs(value));
    const float inverse = 127.0f / largest;
    for (float& value : result) value = std::nearbyint(value * inverse) * (largest / 127.0f);
    return result;
  }

  double product(size_t row, const float* x) const {
    double sum = bias[row];
    const size_t block_row = row / packed.block_rows;
    for (int32_t block = starts[block_row]; block < starts[block_row + 1]; ++block) {
      for (size_t c = 0; c < packed.block_columns; ++c) {
        const size_t place = (block * packed.block_rows + row % packed.block_rows) * packed.block_columns + c;
        sum += double(values[place]) * scales[row] * x[packed.block_column(block) * packed.block_columns + c];
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

  const kaprune::SparseMatrix sparse(matrix.packed, kernels);
  const kaprune::Tiling tiling(kernels, tokens, sparse.max_vectors());
  const size_t rows = matrix.packed.rows;
  std::vector<float> y(tokens * rows);
  for (size_t index = 0; index < tiling.count(); ++index) {
    const kaprune::Tile tile = tiling.tile(index);
    const size_t width = tile.vectors * kernels.lanes;
    Aligned x_tile(columns * width);
    Aligned y_tile((rows + 3) * width);
    Aligned rounded(sparse.rounded_rows(columns) * width);
    kernels.to_tile(x.data() + tile.first_token * columns, columns, tile.tokens, columns, tile.vectors, x_tile.data());
    if (sparse.rounds()) sparse.round(columns, tile.vectors, x_tile.data(), rounded.data());
    for (size_t part = 0; part < sparse.part_count(); ++part) {
      sparse.multiply(part, activation, tile.vectors, (sparse.rounds() ? rounded : x_tile).data(), y_tile.data());
    }
    kernels.from_tile(y_tile.data(), tile.vectors, rows, tile.tokens, y.data() + tile.first_token * rows, rows);
  }

  kaprune::Difference difference;
  double largest = 0;
  for (size_t token = 0; token < tokens; ++token) {
    const std::vector<float> features = matrix.rounded(x.data() + token * columns, columns);
    for (size_t row = 0; row < rows; ++row) {
      double expected = matrix.product(row, features.data());
      if (activation == Activation::kGelu) expected *= 0.5 * (1 + std::erf(expected / std::sqrt(2.0)));
      difference.add(expected, y[token * rows + row]);
      largest = std::max({largest, std::abs(expected), std::abs(double(matrix.bias[row]))});
    }
  }
  if (!(difference.largest() <= 3e-6 * largest)) {
    std::printf("%s: %zu x %zu, blocks %zu x %zu, %zu tokens: off by %g of %g\n", kernels.name, rows, columns,
                matrix.packed.block_rows, matrix.packed.block_columns, tokens, difference.largest(), largest);
    ++failures;
  }
}

}  // namespace

int main() {
  struct Shape {
    size_t rows, columns, block_rows, block_columns;
  };
  const Shape shapes[] = {{1, 1, 1, 1},   {7, 600, 1, 1},  {300, 70, 1, 1}, {8, 16, 4, 1},  {72, 90, 8, 1},
                          {64, 32, 4, 4}, {131, 46, 1, 4}, {72, 48, 8, 8},  {30, 50, 3, 5}, {12, 33, 12, 1},
                          {8, 30, 4, 3}};
  for (const Kernels* kernels : kaprune::tested_kernels()) {
    for (const Shape& shape : shapes) {
      for (const double density : {0.0, 0.1, 1.0}) {
        struct Form {
          bool wide_ids, in_int8, equalized;
        };
        for (const auto& [wide_ids, in_int8, equalized] :
             {Form{false, false, false}, {true, false, false}, {false, true, false}, {false, true, true}}) {
          RandomMatrix matrix(shape.rows, shape.columns, shape.block_rows, shape.block_columns, density, wide_ids,
                              in_int8);
          if (equalized) matrix.equalize(shape.columns);
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
