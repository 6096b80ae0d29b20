// A small C++ layer over the C ABI: tensors, attributes, scratch memory, threads, and operators made of plain classes.
//
// Exceptions stay inside: `Operator` turns every one into an OrtStatus before control returns to ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "ort/abi.h"

namespace kaprune::ort {

// What a model file or an input got wrong; the message reaches the user through ONNX Runtime.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws Error if a call into ONNX Runtime failed.
void check(const OrtApi& api, OrtStatus* status);

// Number of elements of a shape; throws Error if it does not fit 63 bits.
size_t size_of(const std::vector<int64_t>& shape);

// A view of a tensor that ONNX Runtime owns.
struct Tensor {
  ElementType type;
  std::vector<int64_t> shape;
  const void* data;

  template <class Element>
  const Element* as() const {
    return static_cast<const Element*>(data);
  }
};

// Views a value; throws Error if it is no tensor.
Tensor view(const OrtApi& api, const OrtValue* value);

// What an operator may ask while a session is created.
class KernelInfo {
 public:
  KernelInfo(const OrtApi& api, const OrtKernelInfo* info) : api_(api), info_(info) {}

  const OrtApi& api() const { return api_; }
  std::string node_name() const;
  float float_attribute(const char* name) const;
  int64_t int_attribute(const char* name) const;
  std::vector<int64_t> ints_attribute(const char* name) const;
  std::string string_attribute(const char* name) const;

  // An initializer, valid as long as the session; nothing where the node leaves the input out. Throws Error if the
  // input is computed.
  std::optional<Tensor> initializer(size_t index, const char* name) const;

 private:
  void check_attribute(const char* name, OrtStatus* status) const;

  const OrtApi& api_;
  const OrtKernelInfo* info_;
};

// What an operator may do while it runs.
class KernelContext {
 public:
  KernelContext(const OrtApi& api, OrtKernelContext* context) : api_(api), context_(context) {}

  Tensor input(size_t index) const;
  float* output(size_t index, const std::vector<int64_t>& shape) const;

  // Calls task(index) for every index below `tasks` on the session's intra-op threads. The task must not throw.
  template <class Task>
  void parallel_for(size_t tasks, const Task& task) const {
    const auto call = [](void* data, size_t index) { (*static_cast<const Task*>(data))(index); };
    check(api_, api_.KernelContext_ParallelFor(context_, call, tasks, 0, const_cast<Task*>(&task)));
  }

 private:
  friend class Scratch;
  const OrtApi& api_;
  OrtKernelContext* context_;
};

// Memory from the session's arena, aligned for every vector, given back when this goes out of scope.
class Scratch {
 public:
  Scratch(const KernelContext& context, size_t floats);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* data() const { return aligned_; }

 private:
  const OrtApi& api_;
  OrtAllocator* allocator_ = nullptr;
  void* memory_ = nullptr;
  float* aligned_ = nullptr;
};

struct Input {
  ElementType type = ElementType::kAny;
  int characteristic = kRequired;
};

// An operator's description for ONNX Runtime. `Kernel` has
//   static constexpr const char* kName;
//   static constexpr std::array<Input, N> kInputs;   its one output is a float tensor
//   explicit Kernel(const KernelInfo& info);   checks and repacks the weights
//   void compute(const KernelContext& context) const;
template <class Kernel>
class Operator : public OrtCustomOp {
 public:
  constexpr Operator() : OrtCustomOp{} {
    version = kApiVersion;
    GetName = [](const OrtCustomOp*) { return Kernel::kName; };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
    GetInputTypeCount = [](const OrtCustomOp*) { return std::size(Kernel::kInputs); };
    GetInputType = [](const OrtCustomOp*, size_t index) { return static_cast<int>(Kernel::kInputs[index].type); };
    GetInputCharacteristic = [](const OrtCustomOp*, size_t index) { return Kernel::kInputs[index].characteristic; };
    GetInputMemoryType = [](const OrtCustomOp*, size_t) { return kDefaultMemory; };
    GetOutputTypeCount = [](const OrtCustomOp*) { return size_t{1}; };
    GetOutputType = [](const OrtCustomOp*, size_t) { return static_cast<int>(ElementType::kFloat); };
    GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return kRequired; };
    GetStartVersion = [](const OrtCustomOp*) { return 1; };
    GetEndVersion = [](const OrtCustomOp*) { return 1; };
    CreateKernelV2 = [](const OrtCustomOp*, const OrtApi* api, const OrtKernelInfo* info, void** kernel) {
      return guarded(*api, [&] {
        const KernelInfo node(*api, info);
        try {
          *kernel = new Instance{*api, Kernel(node)};
        } catch (const Error& error) {
          throw Error(std::string(Kernel::kName) + " " + node.node_name() + ": " + error.what());
        }
      });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
      const auto& instance = *static_cast<const Instance*>(kernel);
      return guarded(instance.api, [&] { instance.kernel.compute(KernelContext(instance.api, context)); });
    };
    KernelDestroy = [](void* kernel) { delete static_cast<Instance*>(kernel); };
  }

 private:
  struct Instance {
    const OrtApi& api;
    Kernel kernel;
  };

  template <class Work>
  static OrtStatus* guarded(const OrtApi& api, const Work& work) noexcept {
    try {
      work();
      return nullptr;
    } catch (const Error& error) {
      return api.CreateStatus(kInvalidArgument, error.what());
    } catch (const std::exception& error) {
      return api.CreateStatus(kFail, error.what());
    }
  }
};

}  // namespace kaprune::ort
