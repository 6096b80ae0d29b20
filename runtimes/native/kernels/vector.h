// The vector type of the instruction set that this file is compiled for.
//
// Included only by table.cpp, which is compiled once for each instruction set with
//   KAPRUNE_ISA      its name, a namespace of its own, so that no function of one set is linked into another
//   KAPRUNE_LANES    floats in a vector
//   KAPRUNE_VECTORS  vectors that a row of a tile may have, so that 4 rows of sums stay in registers
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define KAPRUNE_UNROLL _Pragma("GCC unroll 16")

namespace kaprune::KAPRUNE_ISA {

constexpr int kLanes = KAPRUNE_LANES;
constexpr int kMaxVectors = KAPRUNE_VECTORS;

// 1.5 * 2^23, whose last bit counts ones: added to a float below 2^22, it leaves the nearest whole number, the even of
// two, in the lowest bits.
constexpr float kRounder = 12582912.0f;

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), may_alias));
typedef float UnalignedVector __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));
typedef int32_t IntVector __attribute__((vector_size(kLanes * sizeof(float)), may_alias));

inline Vector broadcast(float value) { return value - Vector{}; }

// Keeps the compiler from dropping, moving or taking apart what made a vector. Vectors wider than the machine's, as the
// tests have them, are in no one register and left alone.
template <class AnyVector>
inline void pin([[maybe_unused]] AnyVector& vector) {
#if defined(__aarch64__) && KAPRUNE_LANES == 4
  asm volatile("" : "+w"(vector));
#elif defined(__AVX512F__) || (defined(__SSE__) && KAPRUNE_LANES == 4) || (defined(__AVX__) && KAPRUNE_LANES == 8)
  asm volatile("" : "+v"(vector));
#endif
}

// Both give b where either is NaN. Of a constant GCC would make a comparison and a blend.
inline Vector max(Vector a, Vector b) {
  pin(a);
  pin(b);
  return a > b ? a : b;
}

inline Vector min(Vector a, Vector b) {
  pin(a);
  pin(b);
  return a < b ? a : b;
}

template <int Distance, int... Lane>
inline Vector fold(Vector vector, std::integer_sequence<int, Lane...> lanes) {
  vector += __builtin_shufflevector(vector, vector, (Lane ^ Distance)...);
  if constexpr (Distance > 1) {
    return fold<Distance / 2>(vector, lanes);
  } else {
    return vector;
  }
}

inline float sum_of_lanes(Vector vector) {
  return fold<kLanes / 2>(vector, std::make_integer_sequence<int, kLanes>())[0];
}

// Four weights, repeated in every 128 bits: one load instead of four broadcasts from memory.
template <int... Lane>
inline Vector load_weights(const float* weights, std::integer_sequence<int, Lane...>) {
#if defined(__AVX512F__) && KAPRUNE_LANES == 16  // GCC 12 makes a way through memory of the other
  Vector repeated = _mm512_broadcast_f32x4(_mm_loadu_ps(weights));
#else
  typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
  const Four four = *reinterpret_cast<const Four*>(weights);
  Vector repeated = __builtin_shufflevector(four, four, (Lane & 3)...);
#endif
  pin(repeated);
  return repeated;
}

inline Vector load_weights(const float* weights) {
  return load_weights(weights, std::make_integer_sequence<int, kLanes>());
}

// Weight `Row` of four, in every lane; never crosses 128 bits.
template <int Row, int... Lane>
inline Vector weight(Vector weights, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(weights, weights, ((Lane & ~3) + Row)...);
}

template <int Row>
inline Vector weight(Vector weights) {
  return weight<Row>(weights, std::make_integer_sequence<int, kLanes>());
}

// Keeps the compiler from computing with what a pointer was made of.
template <class Pointer>
inline Pointer opaque(Pointer pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// Calls Kernel<V>::run(arguments...) for V = `vectors`, which is at most Most.
template <template <int> class Kernel, int Most = kMaxVectors, class... Arguments>
inline void with_vectors(size_t vectors, const Arguments&... arguments) {
  static_assert(Most >= 2 && Most <= 4, "add a case");
  switch (vectors) {
    case 1: return Kernel<1>::run(arguments...);
    case 2: return Kernel<2>::run(arguments...);
    case 3: return Kernel<Most < 3 ? Most : 3>::run(arguments...);
    default: return Kernel<Most>::run(arguments...);
  }
}

}  // namespace kaprune::KAPRUNE_ISA
