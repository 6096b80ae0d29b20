// Memory for tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

class Aligned {
 public:
  explicit Aligned(size_t floats) : memory_(floats + 16) {}
  float* data() { return reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) & ~uintptr_t{63}); }

 private:
  std::vector<float> memory_;
};
