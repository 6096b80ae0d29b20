// One kernel of each operator called from many threads, each dividing its work, as ThreadSanitizer should see it.
#include <atomic>
#include <cstdio>
#include <utility>

#include "operators/sparse_attention.h"
#include "operators/sparse_feed_forward.h"
#include "operators/sparse_linear.h"
#include "tests/nodes.h"

namespace {

using kaprune::host::Matrix;

constexpr size_t kFeatures = 40;
constexpr size_t kInner = 96;
constexpr size_t kTokens = 75;
constexpr size_t kHeads = 6;

// Returns whether every call gives the very bytes that one thread alone computes.
bool agrees(const OrtCustomOp& op, const OrtKernelInfo& node) {
  const kaprune::host::Kernel kernel(op, node);
  if (!kernel.error().empty()) {
    std::printf("%s\n", kernel.error().c_str());
    return false;
  }
  kaprune::host::threads = 1;
  const OrtValue expected = kernel.run();
  size_t bytes = sizeof(float);
  for (const int64_t dimension : expected.shape) bytes *= dimension;

  kaprune::host::threads = 3;
  std::atomic<int> failures{0};
  const auto call = [&] {
    for (int run = 0; run < 5; ++run) {
      const OrtValue actual = kernel.run();
      if (actual.data == nullptr || std::memcmp(actual.data.get(), expected.data.get(), bytes) != 0) ++failures;
    }
  };
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) callers.emplace_back(call);
  for (std::thread& caller : callers) caller.join();
  if (failures > 0) std::printf("%s: %d runs differ\n", op.GetName(&op), failures.load());
  return failures == 0;
}

}  // namespace

int main() {
  using namespace kaprune;
  const ort::Operator<SparseLinear> linear;
  const ort::Operator<SparseFeedForward> feed_forward;
  const ort::Operator<SparseAttention> attention;
  bool agree = true;
  for (const size_t block_rows : {1, 4}) {
    const Matrix up{kInner, kFeatures, 20, block_rows};
    const Matrix down{kFeatures, kInner, 20, block_rows};
    agree &= agrees(linear, host::linear_node(kTokens, up, "gelu"));
    agree &= agrees(feed_forward, host::feed_forward_node(kTokens, up, down, "gelu"));
    agree &= agrees(attention, host::attention_node(2, kTokens, kHeads, true, up, down));
  }
  return agree ? 0 : 1;
}
