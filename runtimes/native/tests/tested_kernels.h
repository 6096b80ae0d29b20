// The kernels that tests run through.
#pragma once

#include <vector>

#include "kernels/kernels.h"

namespace kaprune {

namespace wide {
extern const Kernels table;
}

// Those that this processor has, and 16 lanes in whatever vectors it has.
inline std::vector<const Kernels*> tested_kernels() {
  size_t count = 0;
  const Kernels* const* tables = available_kernels(&count);
  std::vector<const Kernels*> tested(tables, tables + count);
  tested.push_back(&wide::table);
  return tested;
}

}  // namespace kaprune
