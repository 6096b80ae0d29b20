// Products for training a sparse matrix outside of ONNX Runtime; exported. Arrays are float32 and contiguous. Functions
// return whether they had the memory that they need: no exception crosses the C boundary.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "export.h"
#include "kernels/kernels.h"

namespace {

using kaprune::kTrainingTokens;

// Tiles whose x and dy stay in the second-level cache while a gradient is made of them.
constexpr size_t kTilesAtOnce = 2;

struct alignas(64) Line {
  float values[16];
};

// Memory of one thread, kept from call to call: fresh pages would cost as much as the product.
float* scratch(size_t tiles, size_t features) {
  thread_local std::vector<Line> lines;
  lines.resize(std::max(lines.size(), tiles * features * kTrainingTokens * sizeof(float) / sizeof(Line)));
  return lines.data()->values;
}

void to_tile(const float* x, size_t first, size_t tokens, size_t features, float* tile) {
  const kaprune::Kernels& kernel = kaprune::kernels();
  kernel.to_tile(x + first * features, features, std::min(tokens - first, kTrainingTokens), features,
                 kTrainingTokens / kernel.lanes, tile);
}

template <class Work>
bool done(const Work& work) noexcept {
  try {
    work();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

// y = x W' + bias, x [tokens, columns], W [rows, columns] in compressed sparse rows, bias [rows] or null, y [tokens, rows].
KAPRUNE_EXPORT bool KapruneMultiply(size_t rows, size_t columns, const int32_t* starts, const int32_t* column_ids,
                                    const float* values, const float* bias, size_t tokens, const float* x, float* y) {
  return done([&] {
    const kaprune::Kernels& kernel = kaprune::kernels();
    float* x_tile = scratch(1, columns + rows);
    float* y_tile = x_tile + columns * kTrainingTokens;
    for (size_t first = 0; first < tokens; first += kTrainingTokens) {
      to_tile(x, first, tokens, columns, x_tile);
      kernel.multiply_rows({rows, starts, column_ids, values}, bias, x_tile, y_tile);
      kernel.from_tile(y_tile, kTrainingTokens / kernel.lanes, rows, std::min(tokens - first, kTrainingTokens),
                       y + first * rows, rows);
    }
  });
}

// gradient[i] += sum over tokens t of dy[t, row] x[t, column] of weight i; dy [tokens, rows], else as above.
KAPRUNE_EXPORT bool KapruneGradient(size_t rows, size_t columns, const int32_t* starts, const int32_t* column_ids,
                                    size_t tokens, const float* x, const float* dy, float* gradient) {
  return done([&] {
    const kaprune::Kernels& kernel = kaprune::kernels();
    constexpr size_t kTokensAtOnce = kTilesAtOnce * kTrainingTokens;
    float* x_tiles = scratch(kTilesAtOnce, columns + rows);
    float* dy_tiles = x_tiles + columns * kTokensAtOnce;
    for (size_t first = 0; first < tokens; first += kTokensAtOnce) {
      size_t tiles = 0;
      for (size_t token = first; token < std::min(tokens, first + kTokensAtOnce); token += kTrainingTokens, ++tiles) {
        to_tile(x, token, tokens, columns, x_tiles + tiles * columns * kTrainingTokens);
        to_tile(dy, token, tokens, rows, dy_tiles + tiles * rows * kTrainingTokens);
      }
      kernel.add_gradient({rows, starts, column_ids, nullptr}, tiles, x_tiles, columns, dy_tiles, gradient);
    }
  });
}
