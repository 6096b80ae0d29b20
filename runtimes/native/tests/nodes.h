// Sound nodes of every operator, for `host.h` to run.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/host.h"

namespace kaprune::host {

// A matrix that keeps `kept` blocks of each block row, at even distances.
struct Matrix {
  size_t rows;
  size_t columns;
  size_t kept;
  size_t block_rows = 1;
  size_t block_columns = 1;
  bool wide_ids = false;
  bool integers = false;
};

inline void add_input(OrtKernelInfo& node, OrtValue value) {
  node.inputs.push_back(std::make_unique<OrtValue>(std::move(value)));
}

// Numbers between -2 and 2.
inline void add_floats(OrtKernelInfo& node, const std::vector<size_t>& shape) {
  size_t count = 1;
  for (const size_t dimension : shape) count *= dimension;
  std::vector<float> floats(count);
  for (size_t i = 0; i < count; ++i) floats[i] = static_cast<float>(i % 17) / 4 - 2;
  add_input(node, OrtValue::of(ort::ElementType::kFloat, {shape.begin(), shape.end()}, floats));
}

inline void add_matrix(OrtKernelInfo& node, const std::string& prefix, const Matrix& matrix) {
  const size_t height = matrix.rows / matrix.block_rows;
  const size_t width = matrix.columns / matrix.block_columns;
  const size_t kept = std::min(matrix.kept, width);
  std::vector<int32_t> starts{0};
  std::vector<uint16_t> narrow;
  for (size_t row = 0; row < height; ++row) {
    for (size_t block = 0; block < kept; ++block) {
      narrow.push_back(static_cast<uint16_t>(block * width / kept + row % (width / kept)));
    }
    starts.push_back(static_cast<int32_t>(narrow.size()));
  }
  const auto blocks = static_cast<int64_t>(narrow.size());

  node.lists[prefix + "blocksize"] = {int64_t(matrix.block_rows), int64_t(matrix.block_columns)};
  if (matrix.integers) {
    std::vector<int8_t> values(narrow.size() * matrix.block_rows * matrix.block_columns);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int8_t>(i % 255 - 127);
    const std::vector<int64_t> shape{blocks, int64_t(matrix.block_rows), int64_t(matrix.block_columns)};
    add_input(node, OrtValue::of(ort::ElementType::kInt8, shape, values));
  } else {
    add_floats(node, {narrow.size(), matrix.block_rows, matrix.block_columns});
  }
  add_input(node, OrtValue::of(ort::ElementType::kInt32, {int64_t(starts.size())}, starts));
  if (matrix.wide_ids) {
    const std::vector<uint32_t> wide(narrow.begin(), narrow.end());
    add_input(node, OrtValue::of(ort::ElementType::kUint32, {blocks}, wide));
  } else {
    add_input(node, OrtValue::of(ort::ElementType::kUint16, {blocks}, narrow));
  }
  if (matrix.integers) {
    add_floats(node, {matrix.rows});
  } else {
    node.inputs.push_back(nullptr);  // scales
  }
  add_floats(node, {matrix.rows});
}

inline void add_norm(OrtKernelInfo& node, size_t features) {
  node.floats["epsilon"] = 1e-5f;
  add_floats(node, {features});
  add_floats(node, {features});
}

inline OrtKernelInfo linear_node(size_t tokens, const Matrix& matrix, const char* activation) {
  OrtKernelInfo node;
  node.ints["out_features"] = int64_t(matrix.rows);
  node.strings["activation"] = activation;
  add_floats(node, {tokens, matrix.columns});
  add_matrix(node, "", matrix);
  return node;
}

inline OrtKernelInfo feed_forward_node(size_t tokens, const Matrix& intermediate, const Matrix& output,
                                       const char* activation) {
  OrtKernelInfo node;
  node.ints["intermediate_features"] = int64_t(intermediate.rows);
  node.ints["output_features"] = int64_t(output.rows);
  node.strings["activation"] = activation;
  add_floats(node, {tokens, output.rows});
  add_matrix(node, "intermediate_", intermediate);
  add_matrix(node, "output_", output);
  add_norm(node, output.rows);
  return node;
}

// `inner` is the query's, key's and value's matrix alike.
inline OrtKernelInfo attention_node(size_t sequences, size_t tokens, size_t heads, bool biased, const Matrix& inner,
                                    const Matrix& output) {
  OrtKernelInfo node;
  node.computed = 3;
  node.ints["num_heads"] = int64_t(heads);
  node.ints["inner_features"] = int64_t(inner.rows);
  node.ints["output_features"] = int64_t(output.rows);
  node.floats["scale"] = 0.125f;
  add_floats(node, {sequences, tokens, output.rows});
  add_floats(node, {sequences, 1, 1, tokens});
  add_floats(node, biased ? std::vector<size_t>{1, heads, tokens, tokens} : std::vector<size_t>{1, 1, 1, 1});
  for (const char* prefix : {"query_", "key_", "value_"}) add_matrix(node, prefix, inner);
  add_matrix(node, "output_", output);
  add_norm(node, output.rows);
  return node;
}

}  // namespace kaprune::host
