// Row loops that the compiler turns into vector code, for several processors in one binary.

#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

// Compiled once a listed processor level; the loader picks the best that the machine has.
#if defined(__x86_64__) && defined(__ELF__)
#define VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTORIZED
#endif

#define INLINE inline __attribute__((always_inline))

// Sums may be taken in any order, products and sums in one rounding: without this no reduction is vectorized.
#define ANY_ORDER _Pragma("clang fp reassociate(on) contract(fast)")

namespace ctorch {

// A bfloat16 as it lies in memory.
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

// Rounds to the nearest, ties to even; a NaN stays one.
INLINE void store(bf16 &place, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  place.bits = static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}

// eˣ within 2 units in the last place over the range of float32; 0 below it.
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

constexpr int64_t kLanes = 32;

// The largest of a row. A maximum has no order that the compiler may change, so each lane keeps one of its own.
template <typename T>
INLINE float largest(const T *row, int64_t size) {
  float tops[kLanes], top = -std::numeric_limits<float>::infinity();
  for (int64_t lane = 0; lane < kLanes; ++lane) tops[lane] = top;
  int64_t start = 0;
  for (; start + kLanes <= size; start += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      float value = load(row[start + lane]);
      tops[lane] = value > tops[lane] ? value : tops[lane];
    }
  for (; start < size; ++start) tops[0] = load(row[start]) > tops[0] ? load(row[start]) : tops[0];
  for (int64_t lane = 0; lane < kLanes; ++lane) top = tops[lane] > top ? tops[lane] : top;
  return top;
}

template <typename T>
T *data(const at::Tensor &tensor) {
  return static_cast<T *>(tensor.data_ptr());
}

// Whether our own loops serve this tensor; what they do not serve goes through libtorch's operations.
inline bool served(const at::Tensor &tensor) {
  return tensor.device().is_cpu() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

// Calls body with a null pointer of the tensor's element type.
template <typename Body>
void with_element(const at::Tensor &tensor, const Body &body) {
  if (tensor.scalar_type() == at::kFloat)
    body(static_cast<float *>(nullptr));
  else
    body(static_cast<bf16 *>(nullptr));
}

}  // namespace ctorch
