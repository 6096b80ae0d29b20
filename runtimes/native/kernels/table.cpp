// The kernels of one instruction set; see vector.h for what this file is compiled with.
#include "kernels/attention.h"
#include "kernels/finite.h"
#include "kernels/kernels.h"
#include "kernels/multiply_adds.h"
#include "kernels/residual_norm.h"
#include "kernels/rounding.h"
#include "kernels/sparse_1x1.h"
#include "kernels/sparse_4x1.h"
#ifdef KAPRUNE_DOT
#include "kernels/sparse_int8.h"
#endif
#include "kernels/sparse_rows.h"
#include "kernels/transpose.h"

#define KAPRUNE_TEXT_(name) #name
#define KAPRUNE_TEXT(name) KAPRUNE_TEXT_(name)

namespace kaprune::KAPRUNE_ISA {

extern const Kernels table;
const Kernels table = {
    KAPRUNE_TEXT(KAPRUNE_ISA),
    kLanes,
    kMaxVectors,
    kDotInputs,
    kDotOffset,
    multiply_4x1,
    multiply_1x1,
    round_tile,
#ifdef KAPRUNE_DOT
    quantize_tile,
    multiply_int8,
#else
    nullptr,
    nullptr,
#endif
    attend,
    add_and_normalize,
    multiply_rows,
    add_gradient,
    to_tile,
    mark_not_finite,
    from_tile,
    multiply_adds,
};

}  // namespace kaprune::KAPRUNE_ISA
