// Products in training of every instruction set that this processor has, against sums in double.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "tests/aligned.h"
#include "tests/difference.h"
#include "tests/tested_kernels.h"

namespace {

using kaprune::kTrainingTokens;
using kaprune::Kernels;

int failures = 0;

class Random {
 public:
  std::vector<float> normals(size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = normal_(random_);
    return values;
  }

  bool happens(double probability) { return std::bernoulli_distribution(probability)(random_); }

 private:
  std::mt19937 random_{7};
  std::normal_distribution<float> normal_;
};

// Tokens [tiles][kTrainingTokens][features] as tiles.
Aligned to_tiles(const Kernels& kernels, const std::vector<float>& x, size_t tiles, size_t features) {
  const size_t size = kTrainingTokens * features;
  Aligned memory(tiles * size);
  for (size_t tile = 0; tile < tiles; ++tile) {
    kernels.to_tile(x.data() + tile * size, features, kTrainingTokens, features, kTrainingTokens / kernels.lanes,
                    memory.data() + tile * size);
  }
  return memory;
}

void compare(const Kernels& kernels, const char* what, const std::vector<double>& expected,
             const std::vector<float>& found) {
  kaprune::Difference difference;
  double largest = 1;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference.add(expected[i], found[i]);
    largest = std::max(largest, std::abs(expected[i]));
  }
  if (difference.largest() <= 3e-6 * largest) return;
  std::printf("%s: %s off by %g of %g\n", kernels.name, what, difference.largest(), largest);
  ++failures;
}

void check(const Kernels& kernels, size_t rows, size_t columns, double density, size_t tiles, bool biased) {
  Random random;
  std::vector<int32_t> starts{0};
  std::vector<int32_t> column_ids;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      if (random.happens(density)) column_ids.push_back(static_cast<int32_t>(column));
    }
    starts.push_back(static_cast<int32_t>(column_ids.size()));
  }
  const size_t tokens = tiles * kTrainingTokens;
  const std::vector<float> values = random.normals(column_ids.size());
  const std::vector<float> bias = random.normals(rows);
  const std::vector<float> x = random.normals(tokens * columns);
  const std::vector<float> dy = random.normals(tokens * rows);
  const kaprune::SparseRows matrix{rows, starts.data(), column_ids.data(), values.data()};
  Aligned x_tiles = to_tiles(kernels, x, tiles, columns);
  Aligned dy_tiles = to_tiles(kernels, dy, tiles, rows);

  std::vector<double> products(tokens * rows);
  std::vector<double> sums(column_ids.size(), 1.0);
  for (size_t token = 0; token < tokens; ++token) {
    for (size_t row = 0; row < rows; ++row) {
      double& product = products[token * rows + row];
      if (biased) product = bias[row];
      for (int32_t i = starts[row]; i < starts[row + 1]; ++i) {
        const double feature = x[token * columns + column_ids[i]];
        product += values[i] * feature;
        sums[i] += dy[token * rows + row] * feature;
      }
    }
  }

  std::vector<float> y(tokens * rows);
  Aligned y_tile(rows * kTrainingTokens);
  for (size_t tile = 0; tile < tiles; ++tile) {
    kernels.multiply_rows(matrix, biased ? bias.data() : nullptr, x_tiles.data() + tile * columns * kTrainingTokens,
                          y_tile.data());
    kernels.from_tile(y_tile.data(), kTrainingTokens / kernels.lanes, rows, kTrainingTokens,
                      y.data() + tile * kTrainingTokens * rows, rows);
  }
  compare(kernels, "product", products, y);

  std::vector<float> gradient(column_ids.size(), 1.0f);
  kernels.add_gradient(matrix, tiles, x_tiles.data(), columns, dy_tiles.data(), gradient.data());
  compare(kernels, "gradient", sums, gradient);
}

}  // namespace

int main() {
  for (const Kernels* kernels : kaprune::tested_kernels()) {
    for (const double density : {0.0, 0.1, 1.0}) {
      for (const size_t tiles : {1, 3}) {
        check(*kernels, 1, 1, density, tiles, true);
        check(*kernels, 37, 70, density, tiles, true);
        check(*kernels, 70, 37, density, tiles, false);
      }
    }
    std::printf("%s checked\n", kernels->name);
  }
  return failures == 0 ? 0 : 1;
}
