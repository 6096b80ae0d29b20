#include "operators/residual_norm.h"

#include <cmath>

#include "operators/inputs.h"

namespace kaprune {

ResidualNorm ResidualNorm::read(const ort::KernelInfo& info, size_t first_input, size_t features) {
  const ResidualNorm norm{read_vector(info, first_input, "gamma", features),
                          read_vector(info, first_input + 1, "beta", features), info.float_attribute("epsilon")};
  if (!(norm.epsilon >= 0) || std::isinf(norm.epsilon)) throw ort::Error("epsilon is not a number of 0 or more");
  return norm;
}

void ResidualNorm::finish(const Kernels& kernels, const Tile& tile, size_t features, const float* x, float* y,
                          float* rows) const {
  kernels.add_and_normalize(x, gamma, beta, features, epsilon, tile.vectors, y);
  kernels.from_tile(y, tile.vectors, features, tile.tokens, rows + tile.first_token * features, features);
}

}  // namespace kaprune
