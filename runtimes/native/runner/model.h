// A text encoder in a session of ONNX Runtime, whose shared library is loaded when the program runs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ort/abi.h"

namespace kaprune {

struct Runtime {
  const OrtApi* api;
  std::string version;
  std::string kernels;  // instruction set of the operator library
};

// input_ids, attention_mask and token_type_ids, each [rows, columns].
struct Batch {
  int64_t rows, columns;
  std::array<std::vector<int64_t>, 3> inputs;
};

class Model {
 public:
  // Loads libonnxruntime.so and libkaprune.so of the current folder, and the model file; throws ort::Error.
  Model(const std::string& path, int threads);

  const Runtime& runtime() const { return runtime_; }

  // Returns the first output, all numbers of a text as one row for each of the batch's; throws ort::Error.
  std::vector<std::vector<float>> run(const Batch& batch) const;

 private:
  Runtime runtime_;
  OrtSession* session_ = nullptr;  // lives as long as the process
  OrtMemoryInfo* memory_ = nullptr;
  std::vector<size_t> inputs_;  // places in Batch::inputs
  std::string output_;
};

}  // namespace kaprune
