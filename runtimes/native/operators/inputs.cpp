#include "operators/inputs.h"

namespace kaprune {

PackedMatrix read_packed(const ort::KernelInfo& info, size_t first_input, const char* features,
                         const std::string& prefix) {
  const auto tensor = [&](size_t index, const char* name) {
    return info.initializer(first_input + index, (prefix + name).c_str());
  };
  const PackedTensors tensors{tensor(0, "values"), tensor(1, "crow_indices"), tensor(2, "col_indices"),
                              tensor(3, "scales"), tensor(4, "bias")};
  return check_packed(tensors, info.int_attribute(features), info.ints_attribute((prefix + "blocksize").c_str()),
                      prefix);
}

const float* read_vector(const ort::KernelInfo& info, size_t input, const char* name, size_t size) {
  const std::optional<ort::Tensor> tensor = info.initializer(input, name);
  if (!tensor || tensor->type != ort::ElementType::kFloat ||
      tensor->shape != std::vector<int64_t>{static_cast<int64_t>(size)}) {
    throw ort::Error(std::string(name) + " is not float32 [" + std::to_string(size) + "]");
  }
  return tensor->as<float>();
}

Activation read_activation(const ort::KernelInfo& info) {
  const std::string name = info.string_attribute("activation");
  if (name == "none") return Activation::kNone;
  if (name == "gelu") return Activation::kGelu;
  throw ort::Error("activation '" + name + "' is unknown; a newer kaprune-edge-runtime may know it");
}

}  // namespace kaprune
