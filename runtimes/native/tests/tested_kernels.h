// The kernels that tests run through.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace kaprune {

namespace wide {
extern const Kernels table;
}
#ifdef __x86_64__
namespace avx2_vnni_as_avx512 {
extern const Kernels table;
}
#endif

// Those that this processor has, 16 lanes in whatever vectors it has, and what AVX-VNNI has in AVX-512's encoding.
inline std::vector<const Kernels*> tested_kernels() {
  size_t count = 0;
  const Kernels* const* tables = available_kernels(&count);
  std::vector<const Kernels*> tested(tables, tables + count);
  tested.push_back(&wide::table);
#ifdef __x86_64__
  if (tables[0]->name == std::string("avx512_vnni")) tested.push_back(&avx2_vnni_as_avx512::table);
#endif
  return tested;
}

}  // namespace kaprune
