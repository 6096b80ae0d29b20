#include "kernels/kernels.h"

namespace kaprune {

#define KAPRUNE_DECLARE(isa) \
  namespace isa {            \
  extern const Kernels table; \
  }
KAPRUNE_DECLARE(portable)
#ifdef __x86_64__
KAPRUNE_DECLARE(avx2)
KAPRUNE_DECLARE(avx512)
#endif
#ifdef __aarch64__
KAPRUNE_DECLARE(neon)
#endif

namespace {

struct Available {
  const Kernels* tables[3];
  size_t count = 0;

  Available() {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
      tables[count++] = &avx512::table;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables[count++] = &avx2::table;
#endif
#ifdef __aarch64__
    tables[count++] = &neon::table;  // every 64-bit Arm processor has it
#endif
    tables[count++] = &portable::table;
  }
};

const Available& available() {
  static const Available found;
  return found;
}

}  // namespace

const Kernels* const* available_kernels(size_t* count) {
  *count = available().count;
  return available().tables;
}

const Kernels& kernels() { return *available().tables[0]; }

}  // namespace kaprune
