#include <cstdlib>
#include <stdexcept>
#include <string>

#include "kernels/kernels.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace kaprune {

#define KAPRUNE_DECLARE(isa) \
  namespace isa {            \
  extern const Kernels table; \
  }
KAPRUNE_DECLARE(portable)
#ifdef __x86_64__
KAPRUNE_DECLARE(avx2)
KAPRUNE_DECLARE(avx2_vnni)
KAPRUNE_DECLARE(avx512)
KAPRUNE_DECLARE(avx512_vnni)
#endif
#ifdef __aarch64__
KAPRUNE_DECLARE(neon)
KAPRUNE_DECLARE(neon_dotprod)
KAPRUNE_DECLARE(neon_i8mm)
#endif

namespace {

#ifdef __x86_64__
// Not known to __builtin_cpu_supports of every compiler.
bool has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & (1u << 4)) != 0;
}
#endif

#ifdef __aarch64__
bool has_dot_product() {
#ifdef __linux__
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  return true;  // every one of Apple's own processors for computers has it
#else
  return false;
#endif
}

bool has_matrix_product() {
#if defined(__linux__) && defined(HWCAP2_I8MM)
  return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#else
  return false;
#endif
}
#endif

struct Available {
  const Kernels* tables[5];
  size_t count = 0;

  Available() {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
      if (__builtin_cpu_supports("avx512vnni")) add(avx512_vnni::table);
      add(avx512::table);
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      if (has_avx_vnni()) add(avx2_vnni::table);
      add(avx2::table);
    }
#endif
#ifdef __aarch64__
    if (has_matrix_product()) add(neon_i8mm::table);
    if (has_dot_product()) add(neon_dotprod::table);
    add(neon::table);  // every 64-bit Arm processor has it
#endif
    add(portable::table);
  }

  void add(const Kernels& table) { tables[count++] = &table; }
};

const Available& available() {
  static const Available found;
  return found;
}

const Kernels& chosen() {
  const char* name = std::getenv("KAPRUNE_INSTRUCTION_SET");
  if (name == nullptr) return *available().tables[0];
  std::string names;
  for (size_t i = 0; i < available().count; ++i) {
    if (std::string(available().tables[i]->name) == name) return *available().tables[i];
    names += std::string(" ") + available().tables[i]->name;
  }
  throw std::invalid_argument(std::string("KAPRUNE_INSTRUCTION_SET is ") + name + ", and this machine runs" + names);
}

}  // namespace

const Kernels* const* available_kernels(size_t* count) {
  *count = available().count;
  return available().tables;
}

const Kernels& kernels() {
  static const Kernels& table = chosen();
  return table;
}

}  // namespace kaprune
