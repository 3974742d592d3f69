// Loops over the numbers of one row, which stay in float32 between products.

#pragma once

#include "vectorized.h"

namespace ctorch {

// The mean of a row and 1 / √(variance + ε).
struct RowMoments {
  float mean, inverse_deviation;
};

INLINE RowMoments row_moments(const float *x, int64_t size, float epsilon) {
  ANY_ORDER
  float mean = 0, square = 0;
  for (int64_t i = 0; i < size; ++i) mean += x[i];
  mean /= static_cast<float>(size);
  for (int64_t i = 0; i < size; ++i) square += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0f / std::sqrt(square / static_cast<float>(size) + epsilon)};
}

template <typename T>
INLINE void widen(float *y, const T *x, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = load(x[i]);
}

// x += y.
INLINE void add(float *x, const float *y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += y[i];
}

// x += factor · y.
INLINE void add_scaled(float *x, const float *y, float factor, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += factor * y[i];
}

template <typename T>
INLINE void add_bias(float *x, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += load(bias[i]);
}

// silu(x + bias).
template <typename T>
INLINE void activate(float *x, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] = silu(x[i] + load(bias[i]));
}

// y = exp(factor · (logit − the largest logit)): 0 for a logit of −∞, and at least one NaN if a logit is NaN or +∞.
// Returns the largest logit.
INLINE float exponentials(float *y, const float *logits, float factor, int64_t size) {
  float top = largest(logits, size);
  for (int64_t i = 0; i < size; ++i) {
    float x = factor * (logits[i] - top);
    y[i] = x < -87.3f ? 0 : exponential(x);
  }
  return top;
}

INLINE float total(const float *x, int64_t size) {
  ANY_ORDER
  float sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += x[i];
  return sum;
}

// silu(gates) · up.
INLINE void gate(float *gates, const float *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gates[i] = silu(gates[i]) * up[i];
}

}  // namespace ctorch
