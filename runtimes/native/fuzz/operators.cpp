// libFuzzer target: a node of any operator, out of arbitrary bytes, is refused or runs within its memory.
//
// The bytes first choose an operator and a sound node, so that runs get past the checks, then spoil some of its
// attributes and inputs: only in ways that ONNX Runtime lets through.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "operators/sparse_attention.h"
#include "operators/sparse_feed_forward.h"
#include "operators/sparse_linear.h"
#include "tests/nodes.h"

namespace {

using kaprune::host::Matrix;
using kaprune::ort::ElementType;
using kaprune::ort::Operator;

// What a spoilt tensor may have, so that an execution stays short.
constexpr int64_t kMostElements = 8192;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}

  bool empty() const { return data_ == end_; }

  uint8_t byte() { return empty() ? 0 : *data_++; }

  size_t below(size_t bound) { return byte() % bound; }

  template <class Choice, size_t Count>
  const Choice& of(const Choice (&choices)[Count]) {
    return choices[below(Count)];
  }

  // Mostly small.
  int64_t number() {
    const uint8_t first = byte();
    if (first < 192) return int64_t{first} - 64;
    int64_t value = 0;
    const size_t size = std::min<size_t>(end_ - data_, sizeof(value));
    if (size > 0) std::memcpy(&value, data_, size);
    data_ += size;
    return value;
  }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

// Features: mostly few; now and then enough for several of the parts and slabs that matrices are cut into.
size_t draw_features(Bytes& bytes) {
  constexpr size_t kLarge[] = {68, 132, 260, 390};
  const uint8_t byte = bytes.byte();
  return byte < 252 ? 1 + byte % 16 : kLarge[byte % std::size(kLarge)];
}

size_t draw_tokens(Bytes& bytes, size_t features) { return bytes.below(features < 64 ? 52 : 4); }

Matrix draw_matrix(Bytes& bytes, size_t rows, size_t columns) {
  constexpr size_t kSides[] = {1, 2, 3, 4, 8, 12};
  Matrix matrix{rows, columns, bytes.below(9)};
  const size_t block_rows = bytes.of(kSides);
  const size_t block_columns = 1 + bytes.below(3) / 2;
  if (rows % block_rows == 0) matrix.block_rows = block_rows;
  if (columns % block_columns == 0) matrix.block_columns = block_columns;
  const size_t form = bytes.below(4);
  matrix.wide_ids = form == 0;
  matrix.integers = form == 1;
  return matrix;
}

struct Case {
  const OrtCustomOp& op;
  OrtKernelInfo node;
};

Case draw_case(Bytes& bytes) {
  static const Operator<kaprune::SparseLinear> linear;
  static const Operator<kaprune::SparseFeedForward> feed_forward;
  static const Operator<kaprune::SparseAttention> attention;
  const size_t kind = bytes.below(3);
  const char* activation = bytes.below(2) == 0 ? "none" : "gelu";
  const size_t features = draw_features(bytes);
  const size_t tokens = draw_tokens(bytes, features);
  if (kind == 0) {
    const Matrix matrix = draw_matrix(bytes, draw_features(bytes), features);
    return {linear, kaprune::host::linear_node(tokens, matrix, activation)};
  }
  if (kind == 1) {
    const size_t inner = draw_features(bytes);
    const Matrix intermediate = draw_matrix(bytes, inner, features);
    const Matrix output = draw_matrix(bytes, features, inner);
    return {feed_forward, kaprune::host::feed_forward_node(tokens, intermediate, output, activation)};
  }
  const size_t heads = 1 + bytes.below(3);
  const size_t inner = heads * (1 + bytes.below(9));
  const size_t sequences = bytes.below(3);
  const bool biased = bytes.below(2) == 1;
  const Matrix projection = draw_matrix(bytes, inner, features);
  const Matrix output = draw_matrix(bytes, features, inner);
  return {attention, kaprune::host::attention_node(sequences, tokens, heads, biased, projection, output)};
}

size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::kInt8: return 1;
    case ElementType::kUint16: return 2;
    default: return 4;
  }
}

// Elements of a shape, or -1 where they are too many.
int64_t elements_of(const std::vector<int64_t>& shape) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension > kMostElements / count) return -1;
    count *= dimension;
  }
  return count;
}

// Gives a tensor another type and shape; its bytes stay, as many as there is room for, the rest is 0.
void reshape(OrtValue& value, ElementType type, std::vector<int64_t> shape) {
  const int64_t before = elements_of(value.shape);
  const int64_t after = elements_of(shape);
  if (before < 0 || after < 0) return;
  OrtValue changed{type, std::move(shape)};
  const size_t size = after * element_size(type);
  changed.data.reset(static_cast<char*>(std::calloc(size, 1)));
  std::memcpy(changed.data.get(), value.data.get(), std::min(size, before * element_size(value.type)));
  value = std::move(changed);
}

void spoil_element(OrtValue& value, Bytes& bytes) {
  const int64_t count = elements_of(value.shape);
  const size_t high = bytes.byte();
  const size_t place = 256 * high + bytes.byte();
  const int64_t number = bytes.number();
  const size_t size = element_size(value.type);
  if (count > 0) std::memcpy(value.data.get() + place % count * size, &number, size);
}

void spoil_shape(OrtValue& value, Bytes& bytes) {
  std::vector<int64_t> shape = value.shape;
  const auto axis = shape.begin() + (shape.empty() ? 0 : bytes.below(shape.size()));
  const size_t way = bytes.below(4);
  if (way == 0) {
    shape.insert(axis, 1);
  } else if (shape.empty()) {
    return;
  } else if (way == 1) {
    shape.erase(axis);
  } else if (way == 2) {
    *axis = std::min(*axis, kMostElements) + 1;
  } else {
    *axis = std::max<int64_t>(0, bytes.number());
  }
  reshape(value, value.type, std::move(shape));
}

void spoil_input(OrtKernelInfo& node, Bytes& bytes) {
  constexpr ElementType kTypes[] = {ElementType::kFloat, ElementType::kInt8, ElementType::kUint16, ElementType::kInt32,
                                    ElementType::kUint32};
  const size_t index = bytes.below(node.inputs.size());
  const bool initializer = index >= node.computed;
  std::unique_ptr<OrtValue>& input = node.inputs[index];
  if (input == nullptr) {
    input = std::make_unique<OrtValue>(OrtValue::of(ElementType::kFloat, {1}, std::vector<float>(1)));
  }
  switch (bytes.below(initializer ? 6 : 4)) {
    case 0:
    case 1: return spoil_element(*input, bytes);
    case 2:
    case 3: return spoil_shape(*input, bytes);
    case 4: return reshape(*input, bytes.of(kTypes), input->shape);
    default: input.reset();
  }
}

template <class Attributes>
auto& pick(Attributes& attributes, Bytes& bytes) {
  return std::next(attributes.begin(), bytes.below(attributes.size()))->second;
}

void spoil_attribute(OrtKernelInfo& node, Bytes& bytes) {
  switch (bytes.below(4)) {
    case 0: pick(node.ints, bytes) = bytes.number(); return;
    case 1: {
      std::vector<int64_t>& list = pick(node.lists, bytes);
      list.resize(1 + bytes.below(3), 1);
      list[bytes.below(list.size())] = bytes.number();
      return;
    }
    case 2: {
      if (node.floats.empty()) return;
      const auto dividend = static_cast<float>(bytes.number());
      pick(node.floats, bytes) = dividend / static_cast<float>(bytes.number());
      return;
    }
    default:
      if (!node.strings.empty()) pick(node.strings, bytes) += static_cast<char>(bytes.byte());
  }
}

}  // namespace

// Quick rather than talkative: for the stacks of a finding's allocations, ASAN_OPTIONS=malloc_context_size=30.
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  Case drawn = draw_case(bytes);
  while (!bytes.empty()) {
    if (bytes.below(2) == 0) {
      spoil_attribute(drawn.node, bytes);
    } else {
      spoil_input(drawn.node, bytes);
    }
  }
  const kaprune::host::Kernel kernel(drawn.op, drawn.node);
  if (kernel.error().empty()) kernel.run();
  return 0;
}
