// The layout of a matrix quantized to int8, for the first pass of an argmax, and the rounding of numbers.

#pragma once

#include "vectorized.h"

namespace ctorch {

// A block has 32 entries of the vocabulary, in two halves in the order of the second factor: [2][depth / 4][16][4]. An
// offset of 128 is added, because one factor of the instructions is unsigned. Vectors are in groups of 32, row by row.
constexpr int64_t kBlockRows = 32, kHalfBlock = 16, kDepthStep = 64;

// The scales and bounds of a block.
struct BlockBounds {
  float scales[kBlockRows];
  float lost, length;  // the largest ‖w − ŵ‖ and ‖ŵ‖
};
constexpr int64_t kBoundsSize = sizeof(BlockBounds) / sizeof(float);

inline int64_t padded_depth(int64_t size) { return (size + kDepthStep - 1) / kDepthStep * kDepthStep; }

// The bounds of quantized numbers: x ≈ y · scale, the norm of the rounding error, and the norm of y · scale.
struct Quantized {
  float scale = 1, lost = 0, length = 0;
};

// Rounds `size` numbers to integers from -limit to limit. The norms are rounded up. The scale is NaN if a number is not
// finite, or so large or small that products of norms overflow or underflow float32.
template <typename T>
INLINE void quantize(Quantized &result, int8_t *y, const T *x, int64_t size, int limit) {
  ANY_ORDER
  float top = 0, finite = 0;
  for (int64_t i = 0; i < size; ++i) {
    float value = std::fabs(load(x[i]));
    top = value > top ? value : top;
    finite += value * 0;
  }
  if (finite != 0 || top > 1e12f || (top > 0 && top < 1e-12f)) {
    result.scale = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  float most = static_cast<float>(limit), inverse = top > 0 ? most / top : 0, lost = 0, length = 0;
  result.scale = top > 0 ? top / most : 1;
  for (int64_t i = 0; i < size; ++i) {
    float value = load(x[i]), whole = std::nearbyintf(value * inverse);
    y[i] = static_cast<int8_t>(static_cast<int32_t>(whole));
    float left = value - whole * result.scale;
    lost += left * left;
    length += whole * whole;
  }
  result.lost = std::sqrt(lost) * 1.0001f;
  result.length = std::sqrt(length) * result.scale * 1.0001f;
}

}  // namespace ctorch
