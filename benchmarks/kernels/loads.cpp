// What loads cost a product of single weights: GFLOP/s of its loop on AVX-512, all operands in the first-level cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "kernels/vector.h"

namespace kaprune::KAPRUNE_ISA {
namespace {

constexpr int kRows = 8, kVectors = 2, kColumns = 96;
constexpr size_t kSteps = 4000;

struct Operands {
  std::vector<float> weights = std::vector<float>(kSteps * kRows, 0.5f);
  std::vector<uint16_t> columns;
  alignas(64) Vector x[kColumns][kVectors] = {};

  Operands() {
    std::mt19937 random(1);
    for (size_t i = 0; i < kSteps * kRows; ++i) columns.push_back(random() % kColumns);
  }
};

// Without `Weights` one register stands for all of them.
template <bool Weights>
__attribute__((noinline)) void multiply(const Operands& operands) {
  Vector sum[kRows][kVectors] = {};
  Vector fixed = broadcast(0.5f);
  pin(fixed);
  const float* values = operands.weights.data();
  const uint16_t* columns = operands.columns.data();
  const auto add = [&](Vector weight, uint64_t column, Vector (&of_row)[kVectors]) {
    for (int v = 0; v < kVectors; ++v) of_row[v] += weight * operands.x[column & 0xFFFF][v];
  };
  for (size_t step = 0; step < kSteps; ++step, values += kRows, columns += kRows) {
    KAPRUNE_UNROLL
    for (int row = 0; row < kRows; row += 4) {
      const Vector four = Weights ? load_weights(values + row) : fixed;
      uint64_t ids;
      __builtin_memcpy(&ids, columns + row, sizeof ids);
      add(Weights ? weight<0>(four) : fixed, ids, sum[row]);
      add(Weights ? weight<1>(four) : fixed, ids >> 16, sum[row + 1]);
      add(Weights ? weight<2>(four) : fixed, ids >> 32, sum[row + 2]);
      add(Weights ? weight<3>(four) : fixed, ids >> 48, sum[row + 3]);
    }
  }
  for (auto& row : sum) {
    for (Vector& each : row) pin(each);
  }
}

// The best of many calls: what others do on the machine only adds time.
void time(const char* what, void (*run)(const Operands&), const Operands& operands) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int call = 0; call < 300; ++call) {
    const auto from = Clock::now();
    run(operands);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - from).count());
  }
  std::printf("%5.1f GFLOP/s %s\n", 2e-9 * kSteps * kRows * kVectors * kLanes / best, what);
}

}  // namespace
}  // namespace kaprune::KAPRUNE_ISA

int main() {
  using namespace kaprune::KAPRUNE_ISA;
  const Operands operands;
  time("with loads of activations and columns", multiply<false>, operands);
  time("with those of weights, too", multiply<true>, operands);
}
