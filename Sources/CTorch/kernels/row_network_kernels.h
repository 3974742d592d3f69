// The loops of row_network.cpp over features and rows. Numbers are stored by feature, [size][stride], where the stride
// is the number of rows rounded up to a multiple of sixteen.

#pragma once

#include <algorithm>

#include "row_arithmetic.h"
#include "vectorized.h"

namespace ctorch::row_network {

// Rows are processed in groups.
constexpr int64_t kGroup = 16;
// The maximum number of groups in a slice.
constexpr int64_t kMaxGroups = 8;

template <typename T>
INLINE void layer_norm(float *x, float *sums, const T *weight, const T *bias, int64_t size, int64_t stride,
                       float epsilon) {
  ANY_ORDER
  float *means = sums, *squares = sums + stride;
  for (int64_t row = 0; row < stride; ++row) means[row] = squares[row] = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) means[row] += x[i * stride + row];
  for (int64_t row = 0; row < stride; ++row) means[row] /= static_cast<float>(size);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) {
      float centred = x[i * stride + row] - means[row];
      squares[row] += centred * centred;
    }
  for (int64_t row = 0; row < stride; ++row)
    squares[row] = 1.0f / square_root(squares[row] / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) {
    float scale = load(weight[i]), shift = load(bias[i]);
    for (int64_t row = 0; row < stride; ++row)
      x[i * stride + row] = (x[i * stride + row] - means[row]) * squares[row] * scale + shift;
  }
}

template <typename T>
INLINE void rms_norm(float *x, float *sums, const T *weight, int64_t size, int64_t stride, float epsilon) {
  ANY_ORDER
  for (int64_t row = 0; row < stride; ++row) sums[row] = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) sums[row] += x[i * stride + row] * x[i * stride + row];
  for (int64_t row = 0; row < stride; ++row)
    sums[row] = 1.0f / square_root(sums[row] / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) {
    float scale = load(weight[i]);
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] *= sums[row] * scale;
  }
}

template <typename T>
INLINE void add_bias(float *x, const T *bias, int64_t size, int64_t stride) {
  for (int64_t i = 0; i < size; ++i) {
    float shift = load(bias[i]);
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] += shift;
  }
}

INLINE void activate(float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = silu(x[i]);
}

// MARK: From rows to features and back

// rows: the number of rows in `source`; the others become zeros.
template <typename T>
INLINE void load_rows(float *x, const T *source, int64_t rows, int64_t size, int64_t stride) {
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] = row < rows ? load(source[row * size + i]) : 0;
}

template <typename T>
INLINE void store_rows(T *y, const float *x, int64_t rows, int64_t size, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < size; ++i) store(y[row * size + i], x[i * stride + row]);
}

}  // namespace ctorch::row_network
