// The intrinsics of x86 by one name for all widths.
#pragma once

#include <immintrin.h>

#include "kernels/vector.h"

#if KAPRUNE_LANES == 4
#define KAPRUNE_MM(name) _mm_##name
#elif KAPRUNE_LANES == 8
#define KAPRUNE_MM(name) _mm256_##name
#else
#define KAPRUNE_MM(name) _mm512_##name
#endif

namespace kaprune::KAPRUNE_ISA {

using Register = decltype(KAPRUNE_MM(set1_epi32)(0));

}  // namespace kaprune::KAPRUNE_ISA
