// Times the sparse kernels alone: GFLOP/s and per cent of the core's measured peak, as JSON on standard output.
//
// Usage: benchmark [all|brief]. One thread; `brief` is the three matrix sizes of BERT-base at 90 and 95 %, 128 tokens.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "matrix/sparse_matrix.h"
#include "matrix/tiling.h"

namespace {

using kaprune::Kernels;

constexpr int kCalls = 10;
constexpr double kSeconds = 0.2;
#ifdef __clang__
constexpr const char* kCompiler = "clang++ " __clang_version__;
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Aligned {
 public:
  explicit Aligned(size_t floats) : memory_(floats + 16, 0.5f) {}
  float* data() { return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) & ~uintptr_t{63}); }

 private:
  std::vector<float> memory_;
};

// The best of many single calls, in seconds: what others do on the machine only adds time.
template <class Work>
double best_time(const Work& work) {
  double best = 1e9;
  const double end = seconds() + kSeconds;
  for (int call = 0; call < kCalls || seconds() < end; ++call) {
    const double from = seconds();
    work();
    best = std::min(best, seconds() - from);
  }
  return best;
}

struct Matrix {
  std::vector<float> values, scales, bias;
  std::vector<int8_t> integers;
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> columns;
  kaprune::PackedMatrix packed;

  // Blocks at random places.
  Matrix(size_t rows, size_t width, size_t block_rows, size_t block_columns, double sparsity, bool in_int8)
      : scales(rows, 0.01f), bias(rows) {
    std::mt19937 random(1);
    std::bernoulli_distribution kept(1 - sparsity);
    for (size_t row = 0; row < rows / block_rows; ++row) {
      for (size_t column = 0; column < width / block_columns; ++column) {
        if (kept(random)) columns.push_back(static_cast<uint16_t>(column));
      }
      starts.push_back(static_cast<int32_t>(columns.size()));
    }
    values.assign(columns.size() * block_rows * block_columns, 0.01f);
    integers.assign(values.size(), 3);
    packed = {rows, width, block_rows, block_columns, columns.size(), in_int8 ? nullptr : values.data(), starts.data(),
              columns.data(), false, bias.data(), in_int8 ? integers.data() : nullptr,
              in_int8 ? scales.data() : nullptr};
  }
};

double gflops(const Kernels& kernels, const Matrix& matrix, size_t tokens, kaprune::Activation activation) {
  const kaprune::SparseMatrix sparse(matrix.packed, kernels);
  const kaprune::Tiling tiling(kernels, tokens, sparse.max_vectors());
  const size_t x_rows = sparse.rounds() ? sparse.rounded_rows(sparse.columns()) : sparse.columns();
  Aligned x(tiling.padded_tokens() * x_rows);
  Aligned y(tiling.padded_tokens() * sparse.padded_rows());
  const double time = best_time([&] {
    for (size_t index = 0; index < tiling.count(); ++index) {
      const kaprune::Tile tile = tiling.tile(index);
      for (size_t part = 0; part < sparse.part_count(); ++part) {
        sparse.multiply(part, activation, tile.vectors, x.data() + tile.offset * x_rows,
                        y.data() + tile.offset * sparse.padded_rows());
      }
    }
  });
  return 2e-9 * static_cast<double>(matrix.values.size() * tokens) / time;
}

}  // namespace

int main(int argc, char** argv) {
  const bool brief = argc > 1 && std::strcmp(argv[1], "brief") == 0;
  const std::vector<double> sparsities =
      brief ? std::vector<double>{0.90, 0.95} : std::vector<double>{0.80, 0.90, 0.95, 0.97, 0.98};
  const std::vector<size_t> token_counts =
      brief ? std::vector<size_t>{128} : std::vector<size_t>{1, 8, 16, 32, 64, 128, 256, 512};
  const size_t shapes[][2] = {{768, 768}, {3072, 768}, {768, 3072}};

  const Kernels& kernels = kaprune::kernels();
  constexpr size_t kSteps = 10000;
  const double peak = 2e-9 * kernels.multiply_adds(kSteps) / best_time([&] { kernels.multiply_adds(kSteps); });
  std::printf("{\"compiler\": \"%s\", \"instruction_set\": \"%s\", \"peak_gflops\": %.1f, \"available\": [", kCompiler,
              kernels.name, peak);
  size_t count = 0;
  const Kernels* const* tables = kaprune::available_kernels(&count);
  for (size_t i = 0; i < count; ++i) std::printf("%s\"%s\"", i == 0 ? "" : ", ", tables[i]->name);
  std::printf("], \"results\": [");
  const char* separator = "\n";
  struct Pattern {
    const char* name;
    size_t block_rows, block_columns;
    bool in_int8;
  };
  for (const Pattern& pattern : {Pattern{"4x1", 4, 1, false}, {"8x1", 8, 1, false}, {"1x1", 1, 1, false},
                                 {"4x1 int8", 4, 1, true}, {"8x1 int8", 8, 1, true}, {"4x4 int8", 4, 4, true},
                                 {"1x4 int8", 1, 4, true}}) {
    for (const auto& shape : shapes) {
      for (const double sparsity : sparsities) {
        const Matrix matrix(shape[0], shape[1], pattern.block_rows, pattern.block_columns, sparsity, pattern.in_int8);
        for (const size_t tokens : token_counts) {
          const double rate = gflops(kernels, matrix, tokens, kaprune::Activation::kNone);
          std::printf("%s{\"pattern\": \"%s\", \"shape\": [%zu, %zu], \"sparsity\": %.2f, \"tokens\": %zu, "
                      "\"gflops\": %.1f, \"percent_of_peak\": %.1f}",
                      separator, pattern.name, shape[0], shape[1], sparsity, tokens, rate, 100 * rate / peak);
          std::fflush(stdout);
          separator = ",\n";
        }
      }
    }
  }
  std::printf("\n]}\n");
}
