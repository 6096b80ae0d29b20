// Sums of `kDotInputs` products of integers at a time, in 32-bit lanes, where the instruction set has them.
//
// A row of integers is one register: one feature of `kDotInputs` vectors of tokens, in an order of `pack`'s own.
//   pack(tokens)                     makes it of 32-bit integers, a vector of tokens each, `kDotOffset` added
//   interleave(rows, tokens)         of `kDotInputs` features makes vectors of tokens, the features side by side in a lane
//   load_rows<Rows>(weights)         takes those of one row or four
//   dot<Row>(sum, tokens, weights)   adds to a sum the products of tokens with the weights of one row
// Where there is KAPRUNE_DOT_PAIRS, SumsOfPairs takes two groups of inputs at a time.
#pragma once

#include <cstddef>

#include "kernels/vector.h"

#if (KAPRUNE_LANES == 16 && defined(__AVX512VNNI__)) || \
    (KAPRUNE_LANES == 8 && (defined(__AVX512VNNI__) || defined(__AVXVNNI__)))
#include "kernels/dot_vnni.h"
#elif defined(__SSE2__) && (KAPRUNE_LANES == 4 || (KAPRUNE_LANES == 8 && defined(__AVX2__)) || \
                          (KAPRUNE_LANES == 16 && defined(__AVX512BW__)))
#include "kernels/dot_x86.h"
#elif defined(__ARM_FEATURE_DOTPROD) && KAPRUNE_LANES == 4
#include "kernels/dot_neon.h"
#ifdef __ARM_FEATURE_MATMUL_INT8
#include "kernels/dot_i8mm.h"
#endif
#else
namespace kaprune::KAPRUNE_ISA {
constexpr size_t kDotInputs = 0;
constexpr int kDotOffset = 0;
}
#endif

namespace kaprune::KAPRUNE_ISA {

// Vectors that a row of a tile of integers may have.
constexpr int kDotVectors = kMaxVectors < int{kDotInputs} ? kMaxVectors : int{kDotInputs};

}  // namespace kaprune::KAPRUNE_ISA
