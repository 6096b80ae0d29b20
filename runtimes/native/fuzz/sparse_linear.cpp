// libFuzzer target: a SparseLinear node out of arbitrary bytes is refused, or runs within its memory.
//
// The bytes first choose a sound matrix, so that runs get past the checks, then spoil some of its fields.
#include <algorithm>
#include <cstring>

#include "operators/sparse_linear.h"
#include "tests/host.h"

namespace {

using kaprune::ort::ElementType;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}

  bool empty() const { return data_ == end_; }

  uint8_t byte() { return empty() ? 0 : *data_++; }

  size_t below(size_t bound) { return byte() % bound; }

  int64_t number() {
    int64_t value = 0;
    const size_t size = std::min<size_t>(end_ - data_, sizeof(value));
    std::memcpy(&value, data_, size);
    data_ += size;
    return value;
  }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

struct Spoilt {
  std::vector<float> values, bias;
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> narrow;
  std::vector<uint32_t> wide;
};

template <class Element>
void spoil(std::vector<Element>& elements, Bytes& bytes) {
  const size_t place = bytes.byte();
  switch (bytes.below(3)) {
    case 0: elements.resize(place % 16); break;
    case 1:
      if (!elements.empty()) elements[place % elements.size()] = static_cast<Element>(bytes.number());
      break;
    default:
      if (!elements.empty()) elements[place % elements.size()] += 1;
  }
}

std::unique_ptr<OrtValue> tensor(OrtValue value) { return std::make_unique<OrtValue>(std::move(value)); }

OrtKernelInfo node_from(Bytes& bytes) {
  const size_t block_rows = 1 + bytes.below(9);
  const size_t block_columns = 1 + bytes.below(3);
  const size_t height = 1 + bytes.below(12);
  const size_t width = 1 + bytes.below(40);
  const bool wide_ids = bytes.below(4) == 0;
  const size_t density = bytes.byte();

  Spoilt matrix;
  for (size_t row = 0; row < height; ++row) {
    for (size_t column = 0; column < width; ++column) {
      if ((row * 31 + column * 17) % 256 > density) continue;
      matrix.narrow.push_back(static_cast<uint16_t>(column));
      matrix.wide.push_back(static_cast<uint32_t>(column));
    }
    matrix.starts.push_back(static_cast<int32_t>(matrix.wide.size()));
  }
  matrix.values.assign(matrix.wide.size() * block_rows * block_columns, 0.5f);
  matrix.bias.assign(height * block_rows, 1.0f);
  int64_t features = static_cast<int64_t>(height * block_rows);
  std::vector<int64_t> block{static_cast<int64_t>(block_rows), static_cast<int64_t>(block_columns)};
  std::string activation = bytes.below(2) == 0 ? "none" : "gelu";
  std::vector<int64_t> shape{static_cast<int64_t>(bytes.below(60)), static_cast<int64_t>(width * block_columns)};
  bool scaled = false;

  while (!bytes.empty()) {
    switch (bytes.below(10)) {
      case 0: spoil(matrix.values, bytes); break;
      case 1: spoil(matrix.bias, bytes); break;
      case 2: spoil(matrix.starts, bytes); break;
      case 3: spoil(matrix.narrow, bytes); break;
      case 4: spoil(matrix.wide, bytes); break;
      case 5: spoil(block, bytes); break;
      case 6: features = bytes.number(); break;
      case 7: activation += static_cast<char>(bytes.byte()); break;
      case 8: shape.assign(bytes.below(4), static_cast<int64_t>(bytes.below(50))); break;
      default: scaled = true;
    }
  }

  OrtKernelInfo node;
  node.ints["out_features"] = features;
  node.lists["blocksize"] = block;
  node.strings["activation"] = activation;
  size_t floats = 1;
  for (const int64_t dimension : shape) floats *= static_cast<size_t>(dimension);
  const auto length = [](const auto& elements) { return static_cast<int64_t>(elements.size()); };
  const int64_t blocks = wide_ids ? length(matrix.wide) : length(matrix.narrow);
  std::vector<int64_t> values_shape{blocks, int64_t(block_rows), int64_t(block_columns)};
  if (matrix.values.size() != static_cast<size_t>(blocks) * block_rows * block_columns) {
    values_shape = {length(matrix.values), 1, 1};
  }
  node.inputs.push_back(tensor(OrtValue::of(ElementType::kFloat, shape, std::vector<float>(floats, 0.25f))));
  node.inputs.push_back(tensor(OrtValue::of(ElementType::kFloat, values_shape, matrix.values)));
  node.inputs.push_back(tensor(OrtValue::of(ElementType::kInt32, {length(matrix.starts)}, matrix.starts)));
  node.inputs.push_back(tensor(wide_ids ? OrtValue::of(ElementType::kUint32, {blocks}, matrix.wide)
                                        : OrtValue::of(ElementType::kUint16, {blocks}, matrix.narrow)));
  node.inputs.push_back(scaled ? tensor(OrtValue::of(ElementType::kFloat, {1}, std::vector<float>(1))) : nullptr);
  node.inputs.push_back(tensor(OrtValue::of(ElementType::kFloat, {length(matrix.bias)}, matrix.bias)));
  return node;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const kaprune::ort::Operator<kaprune::SparseLinear> op;
  Bytes bytes(data, size);
  const OrtKernelInfo node = node_from(bytes);
  kaprune::host::Kernel kernel(op, node);
  if (kernel.error().empty()) kernel.run();
  return 0;
}
