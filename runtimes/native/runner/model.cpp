#include "runner/model.h"

#include <dlfcn.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>

#include "ort/operator.h"

namespace kaprune {

namespace {

const char* const kInputs[] = {"input_ids", "attention_mask", "token_type_ids"};
constexpr int kLogErrors = 3;

template <class Function>
Function find(const char* library, const char* name) {
  void* loaded = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  void* found = loaded == nullptr ? nullptr : dlsym(loaded, name);
  if (found == nullptr) throw ort::Error(dlerror());
  return reinterpret_cast<Function>(found);
}

}  // namespace

Model::Model(const std::string& path, int threads) {
  const OrtApiBase* base = find<const OrtApiBase* (*)()>("./libonnxruntime.so", "OrtGetApiBase")();
  const OrtApi* api = base->GetApi(ort::kApiVersion);
  runtime_ = {api, base->GetVersionString(),
              find<const char* (*)()>("./libkaprune.so", "KapruneInstructionSet")()};
  if (api == nullptr) throw ort::Error("onnxruntime " + runtime_.version + " is too old; bring 1.20 or newer");

  const auto check = [&](OrtStatus* status) { ort::check(*api, status); };
  OrtEnv* environment = nullptr;
  OrtSessionOptions* options = nullptr;
  check(api->CreateEnv(kLogErrors, "kaprune", &environment));
  check(api->CreateSessionOptions(&options));
  check(api->SetIntraOpNumThreads(options, threads));
  check(find<OrtStatus* (*)(OrtSessionOptions*, const OrtApiBase*)>("./libkaprune.so", "RegisterCustomOps")(options,
                                                                                                            base));
  check(api->CreateSession(environment, path.c_str(), options, &session_));
  check(api->CreateCpuMemoryInfo(ort::kDeviceAllocator, ort::kDefaultMemory, &memory_));

  OrtAllocator* allocator = nullptr;
  check(api->GetAllocatorWithDefaultOptions(&allocator));
  size_t count = 0;
  check(api->SessionGetInputCount(session_, &count));
  char* name = nullptr;
  for (size_t index = 0; index < count; ++index) {
    check(api->SessionGetInputName(session_, index, allocator, &name));
    const auto known = std::find(std::begin(kInputs), std::end(kInputs), std::string(name));
    if (known == std::end(kInputs)) throw ort::Error(std::string("the model takes ") + name + "; give a text encoder");
    inputs_.push_back(known - std::begin(kInputs));
  }
  check(api->SessionGetOutputName(session_, 0, allocator, &name));
  output_ = name;
}

std::vector<std::vector<float>> Model::run(const Batch& batch) const {
  const OrtApi& api = *runtime_.api;
  using Value = std::unique_ptr<OrtValue, void (*)(OrtValue*)>;
  const int64_t shape[] = {batch.rows, batch.columns};
  std::vector<Value> owned;
  std::vector<const OrtValue*> inputs;
  std::vector<const char*> names;
  for (const size_t place : inputs_) {
    const std::vector<int64_t>& ids = batch.inputs[place];
    OrtValue* value = nullptr;
    ort::check(api, api.CreateTensorWithDataAsOrtValue(memory_, const_cast<int64_t*>(ids.data()),
                                                       ids.size() * sizeof(int64_t), shape, 2,
                                                       static_cast<int>(ort::ElementType::kInt64), &value));
    owned.emplace_back(value, api.ReleaseValue);
    inputs.push_back(value);
    names.push_back(kInputs[place]);
  }
  const char* output_name = output_.c_str();
  OrtValue* value = nullptr;
  ort::check(api, api.Run(session_, nullptr, names.data(), inputs.data(), inputs.size(), &output_name, 1, &value));
  const Value output(value, api.ReleaseValue);

  const ort::Tensor logits = ort::view(api, value);
  if (logits.type != ort::ElementType::kFloat || logits.shape.empty() || logits.shape[0] != batch.rows) {
    throw ort::Error("the model's output is not float [texts, ...]; export the model again");
  }
  const int64_t outputs = std::accumulate(logits.shape.begin() + 1, logits.shape.end(), int64_t{1}, std::multiplies());
  std::vector<std::vector<float>> rows;
  for (int64_t row = 0; row < batch.rows; ++row) {
    const float* first = logits.as<float>() + row * outputs;
    rows.emplace_back(first, first + outputs);
  }
  return rows;
}

}  // namespace kaprune
