// Loops over rows that the compiler vectorizes for several processors in one binary.

#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "../processor.h"

// The instructions of the levels, named one by one: for the architecture x86-64-v4, compilers tune code for its first
// processors, which are slower with 512-bit vectors.
#define AVX2_FEATURES "avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"
#define AVX2_TARGET __attribute__((target(AVX2_FEATURES), noinline))
#define AVX512_TARGET __attribute__((target(AVX2_FEATURES ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"), noinline))

#define INLINE inline __attribute__((always_inline))

// Allows sums in any order and fused multiply-adds. Without this, no reduction is vectorized.
#define ANY_ORDER _Pragma("clang fp reassociate(on) contract(fast)")

namespace ctorch {

// A kernel (an INLINE function) compiled for each level. It is inlined into one function per level, so its loops are
// compiled for that level. Kernels are templates over the element type T and are called as
// `vectorized<add<T>>(y, bias, size)`.
template <auto kernel>
struct Vectorized;

template <typename Result, typename... Arguments, Result (*kernel)(Arguments...)>
struct Vectorized<kernel> {
  static Result call(Arguments... arguments) {
#ifdef __x86_64__
    switch (cpu_level()) {
      case CPULevel::amx:
      case CPULevel::avx512: return avx512(arguments...);
      case CPULevel::avx2: return avx2(arguments...);
      case CPULevel::baseline: break;
    }
#endif
    return kernel(arguments...);
  }

#ifdef __x86_64__
 private:
  AVX512_TARGET static Result avx512(Arguments... arguments) { return kernel(arguments...); }
  AVX2_TARGET static Result avx2(Arguments... arguments) { return kernel(arguments...); }
#endif
};

template <auto kernel>
inline constexpr auto vectorized = &Vectorized<kernel>::call;

// The bits of a bfloat16.
struct bf16 {
  uint16_t bits;
};

INLINE float load(float value) { return value; }

INLINE float load(bf16 value) {
  uint32_t bits = uint32_t(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

INLINE void store(float &place, float value) { place = value; }

// Rounds to nearest, ties to even; NaN remains NaN.
INLINE void store(bf16 &place, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  place.bits = static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}

// √x. Unlike std::sqrt it does not set errno, which would prevent vectorization.
INLINE float square_root(float x) { return __builtin_elementwise_sqrt(x); }

// eˣ with an error of at most 2 ULP; x is clamped to the range in which eˣ is a normal float32.
INLINE float exponential(float x) {
  x = x < -87.3f ? -87.3f : (x > 88.3f ? 88.3f : x);
  float n = std::nearbyintf(x * 1.44269504088896341f);
  float r = std::fmaf(n, -0.693359375f, x);
  r = std::fmaf(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, 4);
  return p * scale;
}

INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

INLINE float silu(float x) { return x / (1.0f + exponential(-x)); }

// The gradient of silu(x), given that of its result and s = σ(x).
INLINE float silu_gradient(float gradient, float x, float s) { return gradient * s * (1.0f + x * (1.0f - s)); }

constexpr int64_t kLanes = 32;

// The largest element of a row. The compiler may not reorder a maximum, so each lane keeps a separate one.
template <typename T>
INLINE float largest(const T *row, int64_t size) {
  float tops[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) tops[lane] = -std::numeric_limits<float>::infinity();
  int64_t start = 0;
  for (; start + kLanes <= size; start += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      float value = load(row[start + lane]);
      tops[lane] = value > tops[lane] ? value : tops[lane];
    }
  for (; start < size; ++start) tops[0] = load(row[start]) > tops[0] ? load(row[start]) : tops[0];
  // Halving is faster than one lane after the other, which matters for short rows.
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      tops[lane] = tops[lane + half] > tops[lane] ? tops[lane + half] : tops[lane];
  return tops[0];
}

template <typename T>
T *data(const at::Tensor &tensor) {
  return static_cast<T *>(tensor.data_ptr());
}

// Whether the kernels of this folder support the tensor; otherwise libtorch's operations are used.
inline bool is_supported(const at::Tensor &tensor) {
  return tensor.device().is_cpu() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

// Calls body, a lambda `[&]<typename T>() { … }`, with the element type of the tensor.
template <typename Body>
void with_element(const at::Tensor &tensor, const Body &body) {
  if (tensor.scalar_type() == at::kFloat)
    body.template operator()<float>();
  else
    body.template operator()<bf16>();
}

}  // namespace ctorch
