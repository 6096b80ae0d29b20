// What operators read from their nodes.
#pragma once

#include <array>
#include <string>

#include "kernels/kernels.h"
#include "matrix/packed.h"
#include "ort/operator.h"

namespace kaprune {

// values, crow_indices, col_indices, scales and bias of a packed matrix.
inline constexpr std::array<ort::Input, 5> kPackedInputs = {{{ort::ElementType::kAny},
                                                             {ort::ElementType::kInt32},
                                                             {ort::ElementType::kAny},
                                                             {ort::ElementType::kAny, ort::kOptional},
                                                             {ort::ElementType::kFloat}}};

template <size_t Count>
constexpr std::array<ort::Input, Count> float_inputs() {
  std::array<ort::Input, Count> inputs{};
  for (ort::Input& input : inputs) input.type = ort::ElementType::kFloat;
  return inputs;
}

// Lists inputs one after the other.
template <size_t... Sizes>
constexpr auto joined(const std::array<ort::Input, Sizes>&... parts) {
  std::array<ort::Input, (Sizes + ...)> all{};
  size_t next = 0;
  const auto append = [&](const auto& part) {
    for (const ort::Input& input : part) all[next++] = input;
  };
  (append(parts), ...);
  return all;
}

// Reads and checks a packed matrix whose five inputs begin at `first_input`.
//
// Its attributes are `features`, such as "out_features", and `prefix` + "blocksize"; `prefix` also names its inputs in
// messages. Throws ort::Error naming the node and what is wrong.
PackedMatrix read_packed(const ort::KernelInfo& info, size_t first_input, const char* features,
                         const std::string& prefix);

// Reads an initializer of float32 [size]; throws ort::Error.
const float* read_vector(const ort::KernelInfo& info, size_t input, const char* name, size_t size);

// Reads the attribute `activation`; throws ort::Error for a name that this library does not know.
Activation read_activation(const ort::KernelInfo& info);

}  // namespace kaprune
