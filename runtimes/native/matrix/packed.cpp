#include "matrix/packed.h"

#include <algorithm>
#include <limits>

namespace kaprune {

namespace {

using ort::ElementType;
using ort::Tensor;

// One tensor of a matrix, and what to call it in a message.
class Field {
 public:
  Field(const std::optional<Tensor>& tensor, const std::string& name) : tensor_(tensor), name_(name) {
    if (!tensor) fail("is missing");
  }

  [[noreturn]] void fail(const std::string& problem) const { throw ort::Error(name_ + " " + problem); }

  // A literal, since a string for each of a million blocks would take its time.
  void require(bool holds, const char* problem) const {
    if (!holds) fail(problem);
  }

  void require_type(ElementType type, const char* called) const {
    if (tensor_->type != type) fail(std::string("is not ") + called);
  }

  void require_shape(const std::vector<int64_t>& shape) const {
    if (tensor_->shape != shape) fail("has shape " + text(tensor_->shape) + ", not " + text(shape));
  }

  const Tensor& tensor() const { return *tensor_; }

 private:
  static std::string text(const std::vector<int64_t>& shape) {
    std::string joined;
    for (const int64_t dimension : shape) joined += (joined.empty() ? "" : ", ") + std::to_string(dimension);
    return "[" + joined + "]";
  }

  const std::optional<Tensor>& tensor_;
  std::string name_;
};

void check_starts(const Field& field, const int32_t* starts, size_t block_rows, size_t blocks) {
  field.require(starts[0] == 0, "does not begin with 0");
  for (size_t row = 0; row < block_rows; ++row) field.require(starts[row] <= starts[row + 1], "descends");
  field.require(static_cast<size_t>(starts[block_rows]) == blocks, "does not end with the number of blocks");
}

// Returns one more than the last block column.
size_t check_columns(const Field& field, const PackedMatrix& matrix) {
  size_t end = 0;
  for (size_t row = 0; row < matrix.rows / matrix.block_rows; ++row) {
    size_t next = 0;
    for (int32_t block = matrix.starts[row]; block < matrix.starts[row + 1]; ++block) {
      const size_t column = matrix.block_column(block);
      field.require(column >= next, "does not ascend in a block row");
      next = column + 1;
    }
    end = std::max(end, next);
  }
  return end;
}

}  // namespace

PackedMatrix check_packed(const PackedTensors& tensors, int64_t out_features, const std::vector<int64_t>& blocksize,
                          const std::string& prefix) {
  if (out_features < 1) throw ort::Error(prefix + "out_features is below 1");
  if (blocksize.size() != 2 || blocksize[0] < 1 || blocksize[1] < 1) {
    throw ort::Error(prefix + "blocksize is not two positive numbers");
  }
  if (out_features % blocksize[0] != 0) throw ort::Error(prefix + "blocksize does not divide out_features");

  const Field values(tensors.values, prefix + "values");
  const bool scaled = values.tensor().type == ElementType::kInt8;
  values.require(scaled || values.tensor().type == ElementType::kFloat, "is neither float32 nor int8");
  if (scaled) {
    const Field scales(tensors.scales, prefix + "scales");
    scales.require_type(ElementType::kFloat, "float32");
    const std::vector<int64_t>& shape = scales.tensor().shape;
    if (shape.size() != 1 || shape[0] < out_features) scales.require_shape({out_features});
  } else if (tensors.scales) {
    values.fail("is float32 and takes no scales");
  }
  values.require(values.tensor().shape.size() == 3, "does not have three dimensions");
  const int64_t blocks = values.tensor().shape[0];
  values.require_shape({blocks, blocksize[0], blocksize[1]});
  values.require(blocks <= std::numeric_limits<int32_t>::max(), "has too many blocks");

  const Field bias(tensors.bias, prefix + "bias");
  bias.require_type(ElementType::kFloat, "float32");
  bias.require_shape({out_features});

  const Field crow(tensors.crow_indices, prefix + "crow_indices");
  crow.require_type(ElementType::kInt32, "int32");
  crow.require_shape({out_features / blocksize[0] + 1});

  const Field col(tensors.col_indices, prefix + "col_indices");
  const bool wide = col.tensor().type == ElementType::kUint32;
  col.require(wide || col.tensor().type == ElementType::kUint16, "is neither uint16 nor uint32");
  col.require_shape({blocks});

  PackedMatrix matrix{
      static_cast<size_t>(out_features),
      0,
      static_cast<size_t>(blocksize[0]),
      static_cast<size_t>(blocksize[1]),
      static_cast<size_t>(blocks),
      scaled ? nullptr : values.tensor().as<float>(),
      crow.tensor().as<int32_t>(),
      col.tensor().data,
      wide,
      bias.tensor().as<float>(),
      scaled ? values.tensor().as<int8_t>() : nullptr,
      scaled ? tensors.scales->as<float>() : nullptr,
  };
  check_starts(crow, matrix.starts, matrix.rows / matrix.block_rows, matrix.blocks);
  const size_t block_columns = check_columns(col, matrix);
  if (__builtin_mul_overflow(block_columns, matrix.block_columns, &matrix.columns) || matrix.columns > kMaxColumns) {
    col.fail("has a column beyond the " + std::to_string(kMaxColumns) + " that are supported");
  }
  if (scaled && tensors.scales->shape[0] > out_features) {
    const size_t factors = tensors.scales->shape[0] - out_features;
    Field(tensors.scales, prefix + "scales").require(factors >= matrix.columns, "has too few factors");
    matrix.columns = factors;
    matrix.factors = matrix.scales + out_features;
  }
  return matrix;
}

}  // namespace kaprune
