// What the shared library exports.
#include <map>
#include <mutex>
#include <stdexcept>

#include "kernels/kernels.h"
#include "operators/sparse_attention.h"
#include "operators/sparse_feed_forward.h"
#include "operators/sparse_linear.h"
#include "export.h"
#include "ort/operator.h"

namespace kaprune {

namespace {

const ort::Operator<SparseLinear> sparse_linear;
const ort::Operator<SparseFeedForward> sparse_feed_forward;
const ort::Operator<SparseAttention> sparse_attention;
const OrtCustomOp* const operators[] = {&sparse_linear, &sparse_feed_forward, &sparse_attention};

// The domain, one for each ONNX Runtime of the process; sessions use it without owning it.
class Domains {
 public:
  ~Domains() {
    for (const auto& [api, domain] : domains_) api->ReleaseCustomOpDomain(domain);
  }

  OrtStatus* add_to(OrtSessionOptions* options, const OrtApi& api) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = domains_.find(&api);
    if (found == domains_.end()) {
      OrtCustomOpDomain* domain = nullptr;
      if (OrtStatus* status = api.CreateCustomOpDomain("ai.kaprune", &domain)) return status;
      for (const OrtCustomOp* op : operators) {
        if (OrtStatus* status = api.CustomOpDomain_Add(domain, op)) {
          api.ReleaseCustomOpDomain(domain);
          return status;
        }
      }
      found = domains_.emplace(&api, domain).first;
    }
    return api.AddCustomOpDomain(options, found->second);
  }

 private:
  std::mutex mutex_;
  std::map<const OrtApi*, OrtCustomOpDomain*> domains_;
};

}  // namespace

}  // namespace kaprune

// Adds the operators of `ai.kaprune` to a session's options; ONNX Runtime's register_custom_ops_library calls it.
KAPRUNE_EXPORT OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(kaprune::ort::kApiVersion);
  if (api == nullptr) {
    const OrtApi* oldest = base->GetApi(1);
    return oldest->CreateStatus(kaprune::ort::kFail, "kaprune needs onnxruntime 1.20 or newer");
  }
  static kaprune::Domains domains;
  try {
    kaprune::kernels();  // a wrong choice is told now
    return domains.add_to(options, *api);
  } catch (const std::exception& error) {
    return api->CreateStatus(kaprune::ort::kFail, error.what());
  }
}

// Names the instruction set that this machine runs: "avx512_vnni", "avx512", "avx2_vnni", "avx2", "neon_i8mm",
// "neon_dotprod", "neon" or "portable"; null where KAPRUNE_INSTRUCTION_SET names one that it does not have.
KAPRUNE_EXPORT const char* KapruneInstructionSet() {
  try {
    return kaprune::kernels().name;
  } catch (const std::invalid_argument&) {
    return nullptr;
  }
}
