// Plays ONNX Runtime for one node: enough of the C ABI to create and run an operator without a model file.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ort/abi.h"

struct OrtStatus {
  std::string message;
};

struct OrtValue {
  kaprune::ort::ElementType type;
  std::vector<int64_t> shape;
  std::unique_ptr<char, decltype(&std::free)> data{nullptr, &std::free};  // malloc: nothing beyond the last byte

  template <class Element>
  static OrtValue of(kaprune::ort::ElementType type, std::vector<int64_t> shape, const std::vector<Element>& elements) {
    OrtValue value{type, std::move(shape)};
    value.data.reset(static_cast<char*>(std::malloc(elements.size() * sizeof(Element))));
    if (!elements.empty()) std::memcpy(value.data.get(), elements.data(), elements.size() * sizeof(Element));
    return value;
  }
};

struct OrtTensorTypeAndShapeInfo {
  const OrtValue* value;
};

// A node: attributes, and inputs of which all but the first `computed` are initializers; null is left out.
struct OrtKernelInfo {
  std::map<std::string, int64_t> ints;
  std::map<std::string, float> floats;
  std::map<std::string, std::vector<int64_t>> lists;
  std::map<std::string, std::string> strings;
  std::vector<std::unique_ptr<OrtValue>> inputs;
  size_t computed = 1;
};

struct OrtKernelContext {
  const OrtKernelInfo* node;
  OrtValue output;
};

namespace kaprune::host {

inline size_t threads = 1;

// What can be allocated at once; more is refused, as where memory ends.
constexpr size_t kMemory = size_t{1} << 26;

inline OrtStatus* fail(const std::string& message) { return new OrtStatus{message}; }

template <class Map>
auto found(const Map& attributes, const char* name) {
  const auto place = attributes.find(name);
  return place == attributes.end() ? nullptr : &place->second;
}

template <class Element>
OrtStatus* copy_out(const Element* from, size_t count, Element* out, size_t* size) {
  const size_t room = *size;
  *size = count;
  if (out == nullptr) return nullptr;
  if (room < count) return fail("too small");
  std::memcpy(out, from, count * sizeof(Element));
  return nullptr;
}

inline const OrtApi& api() {
  static const OrtApi table = [] {
    OrtApi api{};
    api.CreateStatus = [](int, const char* message) { return fail(message); };
    api.GetErrorMessage = [](const OrtStatus* status) { return status->message.c_str(); };
    api.ReleaseStatus = [](OrtStatus* status) { delete status; };
    api.GetTensorMutableData = [](OrtValue* value, void** out) -> OrtStatus* {
      *out = value->data.get();
      return nullptr;
    };
    api.GetTensorTypeAndShape = [](const OrtValue* value, OrtTensorTypeAndShapeInfo** out) -> OrtStatus* {
      *out = new OrtTensorTypeAndShapeInfo{value};
      return nullptr;
    };
    api.ReleaseTensorTypeAndShapeInfo = [](OrtTensorTypeAndShapeInfo* info) { delete info; };
    api.GetTensorElementType = [](const OrtTensorTypeAndShapeInfo* info, int* out) -> OrtStatus* {
      *out = static_cast<int>(info->value->type);
      return nullptr;
    };
    api.GetDimensionsCount = [](const OrtTensorTypeAndShapeInfo* info, size_t* out) -> OrtStatus* {
      *out = info->value->shape.size();
      return nullptr;
    };
    api.GetDimensions = [](const OrtTensorTypeAndShapeInfo* info, int64_t* out, size_t count) -> OrtStatus* {
      std::copy_n(info->value->shape.begin(), count, out);
      return nullptr;
    };
    api.KernelInfoGetAttribute_float = [](const OrtKernelInfo* info, const char* name, float* out) {
      const float* value = found(info->floats, name);
      if (value != nullptr) *out = *value;
      return value == nullptr ? fail("is missing") : nullptr;
    };
    api.KernelInfoGetAttribute_int64 = [](const OrtKernelInfo* info, const char* name, int64_t* out) {
      const int64_t* value = found(info->ints, name);
      if (value != nullptr) *out = *value;
      return value == nullptr ? fail("is missing") : nullptr;
    };
    api.KernelInfoGetAttribute_string = [](const OrtKernelInfo* info, const char* name, char* out, size_t* size) {
      const std::string* value = found(info->strings, name);
      return value == nullptr ? fail("is missing") : copy_out(value->c_str(), value->size() + 1, out, size);
    };
    api.KernelInfoGetAttributeArray_int64 = [](const OrtKernelInfo* info, const char* name, int64_t* out,
                                               size_t* size) {
      const std::vector<int64_t>* value = found(info->lists, name);
      return value == nullptr ? fail("is missing") : copy_out(value->data(), value->size(), out, size);
    };
    api.KernelInfo_GetNodeName = [](const OrtKernelInfo*, char* out, size_t* size) {
      return copy_out("node", 5, out, size);
    };
    api.KernelInfo_GetInputCount = [](const OrtKernelInfo* info, size_t* out) -> OrtStatus* {
      *out = info->inputs.size();
      return nullptr;
    };
    api.KernelInfo_GetInputName = [](const OrtKernelInfo* info, size_t index, char* out, size_t* size) {
      const char* name = info->inputs[index] == nullptr ? "" : "input";
      return copy_out(name, std::strlen(name) + 1, out, size);
    };
    api.KernelInfoGetConstantInput_tensor = [](const OrtKernelInfo* info, size_t index, int* is_constant,
                                               const OrtValue** out) -> OrtStatus* {
      *is_constant = index >= info->computed;
      *out = *is_constant ? info->inputs[index].get() : nullptr;
      return nullptr;
    };
    api.KernelContext_GetInput = [](const OrtKernelContext* context, size_t index,
                                    const OrtValue** out) -> OrtStatus* {
      *out = context->node->inputs[index].get();
      return nullptr;
    };
    api.KernelContext_GetOutput = [](OrtKernelContext* context, size_t, const int64_t* shape, size_t rank,
                                     OrtValue** out) -> OrtStatus* {
      size_t bytes = sizeof(float);
      for (size_t i = 0; i < rank; ++i) {
        if (__builtin_mul_overflow(bytes, static_cast<size_t>(shape[i]), &bytes)) return fail("out of memory");
      }
      if (bytes > kMemory) return fail("out of memory");
      context->output = {ort::ElementType::kFloat, {shape, shape + rank}};
      context->output.data.reset(static_cast<char*>(std::malloc(bytes)));
      *out = &context->output;
      return nullptr;
    };
    api.CreateCpuMemoryInfo = [](int, int, OrtMemoryInfo** out) -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    api.ReleaseMemoryInfo = [](OrtMemoryInfo*) {};
    api.KernelContext_GetAllocator = [](const OrtKernelContext*, const OrtMemoryInfo*,
                                        OrtAllocator** out) -> OrtStatus* {
      *out = nullptr;
      return nullptr;
    };
    api.ReleaseAllocator = [](OrtAllocator*) {};
    api.AllocatorAlloc = [](OrtAllocator*, size_t bytes, void** out) -> OrtStatus* {
      if (bytes > kMemory) return fail("out of memory");
      *out = std::malloc(bytes);
      return nullptr;
    };
    api.AllocatorFree = [](OrtAllocator*, void* memory) -> OrtStatus* {
      std::free(memory);
      return nullptr;
    };
    api.KernelContext_ParallelFor = [](const OrtKernelContext*, void (*task)(void*, size_t), size_t tasks, size_t,
                                       void* data) -> OrtStatus* {
      std::vector<std::thread> helpers;
      const auto work = [=](size_t first) {
        for (size_t index = first; index < tasks; index += threads) task(data, index);
      };
      for (size_t helper = 1; helper < threads; ++helper) helpers.emplace_back(work, helper);
      work(0);
      for (std::thread& helper : helpers) helper.join();
      return nullptr;
    };
    return api;
  }();
  return table;
}

// An operator's kernel for a node; holds the error's message instead where it was refused.
class Kernel {
 public:
  Kernel(const OrtCustomOp& op, const OrtKernelInfo& node) : op_(op), node_(node) {
    error_ = message(op.CreateKernelV2(&op, &api(), &node, &kernel_));
  }
  ~Kernel() {
    if (kernel_ != nullptr) op_.KernelDestroy(kernel_);
  }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  const std::string& error() const { return error_; }

  // Returns the output, whose data is null where the run failed.
  OrtValue run() const {
    OrtKernelContext context{&node_, {}};
    message(op_.KernelComputeV2(kernel_, &context));
    return std::move(context.output);
  }

 private:
  static std::string message(OrtStatus* status) {
    const std::string text = status == nullptr ? "" : status->message;
    delete status;
    return text;
  }

  const OrtCustomOp& op_;
  const OrtKernelInfo& node_;
  void* kernel_ = nullptr;
  std::string error_;
};

}  // namespace kaprune::host
