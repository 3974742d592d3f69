// Neighbouring numbers of a row as values, for products whose innermost loops are compiled for vectors of several
// lengths.

#pragma once

#include "vectorized.h"

// Vectors are passed to functions that are inlined into code for the processor, so there is no ABI to change.
#pragma clang diagnostic ignored "-Wpsabi"

namespace ctorch {

// Compilers split them into vectors that the processor has.
template <int lanes>
using Numbers = float __attribute__((ext_vector_type(lanes)));

template <int lanes>
INLINE Numbers<lanes> numbers(const float *x) {
  Numbers<lanes> result;
  std::memcpy(&result, x, sizeof result);
  return result;
}

template <int lanes>
INLINE Numbers<lanes> numbers(const bf16 *x) {
  uint16_t __attribute__((ext_vector_type(lanes))) halves;
  std::memcpy(&halves, x, sizeof halves);
  auto bits = __builtin_convertvector(halves, uint32_t __attribute__((ext_vector_type(lanes)))) << 16;
  return __builtin_bit_cast(Numbers<lanes>, bits);
}

// The lanes of the products: those of a vector register, and two of ARM's. Loops are compiled for each number.
inline int vector_lanes() {
#ifdef __x86_64__
  if (cpu_level() >= CPULevel::avx512) return 16;
  if (cpu_level() == CPULevel::baseline) return 4;
#endif
  return 8;
}

// sum + x·y, rounded once where the processor can: compilers do not fuse operations on such vectors by themselves.
template <int lanes, typename Vector>
INLINE Vector multiply_add(const Vector &x, const Vector &y, const Vector &sum) {
#ifdef __x86_64__
  if constexpr (lanes == 4) return sum + x * y;
#endif
  return __builtin_elementwise_fma(x, y, sum);
}

}  // namespace ctorch
