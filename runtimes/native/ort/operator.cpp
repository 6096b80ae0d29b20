#include "ort/operator.h"

#include <limits>

namespace kaprune::ort {

namespace {

constexpr size_t kAlignment = 64;

}  // namespace

void check(const OrtApi& api, OrtStatus* status) {
  if (status == nullptr) return;
  const std::string message = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  throw Error(message);
}

Tensor view(const OrtApi& api, const OrtValue* value) {
  OrtTensorTypeAndShapeInfo* info = nullptr;
  check(api, api.GetTensorTypeAndShape(value, &info));
  struct Release {
    const OrtApi& api;
    OrtTensorTypeAndShapeInfo* info;
    ~Release() { api.ReleaseTensorTypeAndShapeInfo(info); }
  } release{api, info};

  int type = 0;
  size_t rank = 0;
  void* data = nullptr;
  check(api, api.GetTensorElementType(info, &type));
  check(api, api.GetDimensionsCount(info, &rank));
  std::vector<int64_t> shape(rank);
  check(api, api.GetDimensions(info, shape.data(), rank));
  check(api, api.GetTensorMutableData(const_cast<OrtValue*>(value), &data));
  return {static_cast<ElementType>(type), std::move(shape), data};
}

size_t size_of(const std::vector<int64_t>& shape) {
  size_t size = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(size, static_cast<size_t>(dimension), &size) ||
        size > std::numeric_limits<int64_t>::max()) {
      throw Error("a tensor is larger than memory");
    }
  }
  return size;
}

std::string KernelInfo::node_name() const {
  size_t size = 0;
  check(api_, api_.KernelInfo_GetNodeName(info_, nullptr, &size));
  std::string name(size, '\0');
  check(api_, api_.KernelInfo_GetNodeName(info_, name.data(), &size));
  name.resize(size - 1);
  return name;
}

void KernelInfo::check_attribute(const char* name, OrtStatus* status) const {
  try {
    check(api_, status);
  } catch (const Error& error) {
    throw Error(std::string("attribute ") + name + ": " + error.what());
  }
}

float KernelInfo::float_attribute(const char* name) const {
  float value = 0;
  check_attribute(name, api_.KernelInfoGetAttribute_float(info_, name, &value));
  return value;
}

int64_t KernelInfo::int_attribute(const char* name) const {
  int64_t value = 0;
  check_attribute(name, api_.KernelInfoGetAttribute_int64(info_, name, &value));
  return value;
}

std::vector<int64_t> KernelInfo::ints_attribute(const char* name) const {
  size_t size = 0;
  check_attribute(name, api_.KernelInfoGetAttributeArray_int64(info_, name, nullptr, &size));
  std::vector<int64_t> values(size);
  check_attribute(name, api_.KernelInfoGetAttributeArray_int64(info_, name, values.data(), &size));
  return values;
}

std::string KernelInfo::string_attribute(const char* name) const {
  size_t size = 0;
  check_attribute(name, api_.KernelInfoGetAttribute_string(info_, name, nullptr, &size));
  std::string value(size, '\0');
  check_attribute(name, api_.KernelInfoGetAttribute_string(info_, name, value.data(), &size));
  value.resize(size - 1);
  return value;
}

std::optional<Tensor> KernelInfo::initializer(size_t index, const char* name) const {
  size_t inputs = 0;
  check(api_, api_.KernelInfo_GetInputCount(info_, &inputs));
  if (index >= inputs) return std::nullopt;
  size_t length = 0;
  check(api_, api_.KernelInfo_GetInputName(info_, index, nullptr, &length));
  if (length <= 1) return std::nullopt;

  int is_constant = 0;
  const OrtValue* value = nullptr;
  check(api_, api_.KernelInfoGetConstantInput_tensor(info_, index, &is_constant, &value));
  if (is_constant == 0 || value == nullptr) throw Error(std::string(name) + " must be an initializer");
  return view(api_, value);
}

Tensor KernelContext::input(size_t index) const {
  const OrtValue* value = nullptr;
  check(api_, api_.KernelContext_GetInput(context_, index, &value));
  return view(api_, value);
}

float* KernelContext::output(size_t index, const std::vector<int64_t>& shape) const {
  OrtValue* value = nullptr;
  void* data = nullptr;
  check(api_, api_.KernelContext_GetOutput(context_, index, shape.data(), shape.size(), &value));
  check(api_, api_.GetTensorMutableData(value, &data));
  return static_cast<float*>(data);
}

Scratch::Scratch(const KernelContext& context, size_t floats) : api_(context.api_) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(floats, sizeof(float), &bytes) || __builtin_add_overflow(bytes, kAlignment, &bytes)) {
    throw Error("an input is larger than memory");
  }
  OrtMemoryInfo* info = nullptr;
  check(api_, api_.CreateCpuMemoryInfo(kArenaAllocator, kDefaultMemory, &info));
  OrtStatus* status = api_.KernelContext_GetAllocator(context.context_, info, &allocator_);
  api_.ReleaseMemoryInfo(info);
  check(api_, status);
  status = api_.AllocatorAlloc(allocator_, bytes, &memory_);
  if (status != nullptr) api_.ReleaseAllocator(allocator_);
  check(api_, status);
  const auto address = reinterpret_cast<uintptr_t>(memory_);
  aligned_ = reinterpret_cast<float*>((address + kAlignment - 1) & ~uintptr_t{kAlignment - 1});
}

Scratch::~Scratch() {
  // A status would only repeat that the memory is gone; there is nobody to tell.
  if (OrtStatus* status = api_.AllocatorFree(allocator_, memory_)) api_.ReleaseStatus(status);
  api_.ReleaseAllocator(allocator_);
}

}  // namespace kaprune::ort
