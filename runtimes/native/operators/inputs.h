// What operators read from their nodes.
#pragma once

#include <string>

#include "kernels/kernels.h"
#include "matrix/packed.h"
#include "ort/operator.h"

namespace kaprune {

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
