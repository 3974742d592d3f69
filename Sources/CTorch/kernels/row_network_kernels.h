// The loops of row_network.cpp. Numbers are stored by feature, [size][stride], where the stride is the number of rows
// rounded up to a multiple of sixteen. The factors of products are packed in the order of tiles.

#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "amx_tiles.h"
#include "vectorized.h"

#ifdef CTORCH_AMX

namespace ctorch::row_network {

// The maximum number of groups of sixteen rows in a slice.
constexpr int64_t kMaxGroups = 8;

// MARK: Loops over features and rows

INLINE void layer_norm(float *x, float *sums, const bf16 *weight, const bf16 *bias, int64_t size, int64_t stride,
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

INLINE void rms_norm(float *x, float *sums, const bf16 *weight, int64_t size, int64_t stride, float epsilon) {
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

INLINE void add_bias(float *x, const bf16 *bias, int64_t size, int64_t stride) {
  for (int64_t i = 0; i < size; ++i) {
    float shift = load(bias[i]);
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] += shift;
  }
}

INLINE void add(float *x, const float *y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] += y[i];
}

INLINE void activate(float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = silu(x[i]);
}

INLINE void gate(float *gates, const float *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gates[i] = silu(gates[i]) * up[i];
}

// MARK: From rows to features and back

// The pairs of features 2i and 2i + 1 of sixteen rows, in the order of tiles.
TILED INLINE __m512i pairs(const float *feature, int64_t stride) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(feature + stride), _mm512_loadu_ps(feature));
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i &>(both));
}

TILED inline void pack(bf16 *packed, const float *x, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group, packed += kTileRows * size)
    for (int64_t i = 0; i < size; i += 2)
      _mm512_storeu_si512(packed + i * kTileRows, pairs(x + i * stride + group * kTileRows, stride));
}

// rows: the number of rows in `source`; the others become zeros.
TILED inline void load_rows(float *x, bf16 *packed, const bf16 *source, int64_t rows, int64_t groups, int64_t size,
                            int64_t stride) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  for (int64_t group = 0; group < groups; ++group, packed += kTileRows * size) {
    pack_rows(packed, source + group * kTileRows * size, std::min(kTileRows, rows - group * kTileRows), size);
    for (int64_t i = 0; i < size; i += 2) {
      __m512i both = _mm512_loadu_si512(packed + i * kTileRows);
      float *place = x + i * stride + group * kTileRows;
      _mm512_storeu_ps(place, _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)));
      _mm512_storeu_ps(place + stride, _mm512_castsi512_ps(_mm512_and_si512(both, upper)));
    }
  }
}

TILED inline void store_rows(bf16 *y, const float *x, int64_t rows, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t i = 0; i < size; i += kTileDepth) {
      __m512 r[kTileRows];
      for (int64_t pair = 0; pair < kTileRows; ++pair)
        r[pair] = _mm512_castsi512_ps(pairs(x + (i + 2 * pair) * stride + group * kTileRows, stride));
      transpose(r);
      for (int64_t row = 0; row < std::min(kTileRows, rows - group * kTileRows); ++row)
        _mm512_storeu_ps(y + (group * kTileRows + row) * size + i, r[row]);
    }
}

TILED inline void multiply(float *y, const bf16 *packed, int64_t groups, int64_t size, int64_t stride,
                           const at::Tensor &weight) {
  int64_t outputs = weight.size(0), w_stride = weight.stride(0);
  const bf16 *w = data<bf16>(weight);
  TileScope scope;
  for (int64_t output = 0; output < outputs; output += 2 * kTileRows, w += 2 * kTileRows * w_stride)
    for (int64_t group = 0; group < groups; group += 2) {
      const bf16 *x = packed + group * kTileRows * size;
      float *upper = y + output * stride + group * kTileRows, *lower = upper + kTileRows * stride;
      if (group + 1 < groups) {
        sum_products<2>(w, w_stride, x, size);
        _tile_stored(1, upper + kTileRows, stride * 4);
        _tile_stored(3, lower + kTileRows, stride * 4);
      } else {
        sum_products<1>(w, w_stride, x, size);
      }
      _tile_stored(0, upper, stride * 4);
      _tile_stored(2, lower, stride * 4);
    }
}

}  // namespace ctorch::row_network

#endif
