// One kernel called from many threads, each dividing its work, as ThreadSanitizer should see it.
#include <atomic>
#include <cstdio>

#include "operators/sparse_linear.h"
#include "tests/host.h"

namespace {

using kaprune::ort::ElementType;

constexpr size_t kRows = 96;
constexpr size_t kColumns = 40;
constexpr size_t kTokens = 75;

// Every other column of every block row.
OrtKernelInfo node_of(size_t block_rows) {
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> columns;
  for (size_t row = 0; row < kRows / block_rows; ++row) {
    for (size_t column = row % 2; column < kColumns; column += 2) columns.push_back(static_cast<uint16_t>(column));
    starts.push_back(static_cast<int32_t>(columns.size()));
  }
  std::vector<float> values(columns.size() * block_rows), x(kTokens * kColumns), bias(kRows);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13) - 6;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) / 8;

  const auto input = [](ElementType type, std::vector<int64_t> shape, const auto& elements) {
    return std::make_unique<OrtValue>(OrtValue::of(type, std::move(shape), elements));
  };
  const auto blocks = static_cast<int64_t>(columns.size());
  OrtKernelInfo node;
  node.ints["out_features"] = kRows;
  node.lists["blocksize"] = {static_cast<int64_t>(block_rows), 1};
  node.strings["activation"] = "gelu";
  node.inputs.push_back(input(ElementType::kFloat, {kTokens, kColumns}, x));
  node.inputs.push_back(input(ElementType::kFloat, {blocks, static_cast<int64_t>(block_rows), 1}, values));
  node.inputs.push_back(input(ElementType::kInt32, {static_cast<int64_t>(starts.size())}, starts));
  node.inputs.push_back(input(ElementType::kUint16, {blocks}, columns));
  node.inputs.push_back(nullptr);
  node.inputs.push_back(input(ElementType::kFloat, {kRows}, bias));
  return node;
}

}  // namespace

int main() {
  static const kaprune::ort::Operator<kaprune::SparseLinear> op;
  std::atomic<int> failures{0};
  for (const size_t block_rows : {1, 4}) {
    const OrtKernelInfo node = node_of(block_rows);
    const kaprune::host::Kernel kernel(op, node);
    if (!kernel.error().empty()) {
      std::printf("%s\n", kernel.error().c_str());
      return 1;
    }
    kaprune::host::threads = 1;
    const OrtValue expected = kernel.run();
    kaprune::host::threads = 3;
    const auto call = [&] {
      for (int run = 0; run < 5; ++run) {
        const OrtValue actual = kernel.run();
        const size_t bytes = kTokens * kRows * sizeof(float);
        if (actual.data == nullptr || std::memcmp(actual.data.get(), expected.data.get(), bytes) != 0) ++failures;
      }
    };
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) callers.emplace_back(call);
    for (std::thread& caller : callers) caller.join();
  }
  return failures == 0 ? 0 : 1;
}
