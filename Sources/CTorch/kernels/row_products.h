// The products of row_network.cpp: y[output][row] = Σᵢ w[output][i]·x[i][row] for groups of sixteen rows.
//
// Only the innermost sums differ between processors. Tiles (AMX) and vectors (AVX-512 BF16) multiply bfloat16 numbers,
// to which the factors are rounded. All other processors, and float32 weights, multiply in float32. The factors are
// packed first.

#pragma once

#include <ATen/core/Tensor.h>

#include "amx_tiles.h"
#include "row_network_kernels.h"

namespace ctorch::row_network {

// MARK: Float32

// Factors by group, [groups][size][16]: in the order [size][stride], their places in a cache would collide.
INLINE void pack_floats(float *packed, const float *x, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t i = 0; i < size; ++i)
      std::memcpy(packed + (group * size + i) * kGroup, x + i * stride + group * kGroup, kGroup * sizeof(float));
}

// One number of each row of a group. Compilers split it into vectors that the processor has.
typedef float GroupVector __attribute__((vector_size(kGroup * sizeof(float))));

// x: [groups][size][16].
template <int outputs, int groups>
INLINE void sum_products(float *y, int64_t stride, const float *x, int64_t size, const float *w) {
#pragma clang fp contract(fast)
  GroupVector sums[outputs][groups] = {};
  for (int64_t i = 0; i < size; ++i) {
    GroupVector rows[groups];
    for (int group = 0; group < groups; ++group)
      std::memcpy(&rows[group], x + (group * size + i) * kGroup, sizeof(GroupVector));
    for (int output = 0; output < outputs; ++output)
      for (int group = 0; group < groups; ++group) sums[output][group] += w[output * size + i] * rows[group];
  }
  for (int output = 0; output < outputs; ++output) std::memcpy(y + output * stride, sums[output], sizeof sums[output]);
}

// outputs: a divisor of the number of outputs. panel: [outputs][size].
template <int outputs, int groups, typename T>
INLINE void multiply(float *y, const float *packed, float *panel, int64_t group_count, int64_t size, int64_t stride,
                     const T *w, int64_t w_stride, int64_t output_count) {
  for (int64_t output = 0; output < output_count; output += outputs) {
    // All groups read these weights, which fit into the L1 cache.
    for (int64_t row = 0; row < outputs; ++row)
      for (int64_t i = 0; i < size; ++i) panel[row * size + i] = load(w[(output + row) * w_stride + i]);
    int64_t group = 0;
    for (; group + groups <= group_count; group += groups)
      sum_products<outputs, groups>(y + output * stride + group * kGroup, stride, packed + group * size * kGroup, size,
                                    panel);
    for (; group < group_count; ++group)
      sum_products<outputs, 1>(y + output * stride + group * kGroup, stride, packed + group * size * kGroup, size,
                               panel);
  }
}

// The sizes of a block of sums, for the number of vector registers.
template <typename T>
void multiply_floats(float *y, const float *packed, float *panel, int64_t groups, int64_t size, int64_t stride,
                     const T *w, int64_t w_stride, int64_t outputs) {
#ifdef __x86_64__
  if (cpu_level() >= CPULevel::avx512)
    return vectorized<multiply<8, 2, T>>(y, packed, panel, groups, size, stride, w, w_stride, outputs);
  if (cpu_level() == CPULevel::baseline)
    return vectorized<multiply<2, 1, T>>(y, packed, panel, groups, size, stride, w, w_stride, outputs);
#endif
  vectorized<multiply<4, 1, T>>(y, packed, panel, groups, size, stride, w, w_stride, outputs);
}

constexpr int64_t kMaxPanelOutputs = 8;

// MARK: Bfloat16

#ifdef __x86_64__

BF16_VECTORS inline void pack(bf16 *packed, const float *x, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group, packed += kGroup * size)
    for (int64_t i = 0; i < size; i += 2)
      _mm512_storeu_si512(packed + i * kGroup, packed_pairs(x + i * stride + group * kGroup, stride));
}

BF16_VECTORS inline void load_packed(float *x, bf16 *packed, const bf16 *source, int64_t rows, int64_t groups,
                                     int64_t size, int64_t stride) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  for (int64_t group = 0; group < groups; ++group, packed += kGroup * size) {
    pack_rows(packed, source + group * kGroup * size, std::min(kGroup, rows - group * kGroup), size);
    for (int64_t i = 0; i < size; i += 2) {
      __m512i both = _mm512_loadu_si512(packed + i * kGroup);
      float *place = x + i * stride + group * kGroup;
      _mm512_storeu_ps(place, _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)));
      _mm512_storeu_ps(place + stride, _mm512_castsi512_ps(_mm512_and_si512(both, upper)));
    }
  }
}

BF16_VECTORS inline void store_packed(bf16 *y, const float *x, int64_t rows, int64_t groups, int64_t size,
                                      int64_t stride) {
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t i = 0; i < size; i += kPackedDepth) {
      __m512 r[kGroup];
      for (int64_t pair = 0; pair < kGroup; ++pair)
        r[pair] = _mm512_castsi512_ps(packed_pairs(x + (i + 2 * pair) * stride + group * kGroup, stride));
      transpose(r);
      for (int64_t row = 0; row < std::min(kGroup, rows - group * kGroup); ++row)
        _mm512_storeu_ps(y + (group * kGroup + row) * size + i, r[row]);
    }
}

template <int outputs, int groups>
BF16_VECTORS INLINE void sum_packed(float *y, int64_t stride, const bf16 *x, int64_t size, const bf16 *w,
                                    int64_t w_stride) {
  __m512 sums[outputs][groups];
  for (int output = 0; output < outputs; ++output)
    for (int group = 0; group < groups; ++group) sums[output][group] = _mm512_setzero_ps();
  for (int64_t i = 0; i < size; i += 2) {
    __m512i rows[groups];
    for (int group = 0; group < groups; ++group) rows[group] = _mm512_loadu_si512(x + (group * size + i) * kGroup);
    for (int output = 0; output < outputs; ++output) {
      int32_t pair;
      std::memcpy(&pair, w + output * w_stride + i, sizeof pair);
      __m512i factor = _mm512_set1_epi32(pair);
      for (int group = 0; group < groups; ++group)
        sums[output][group] = _mm512_dpbf16_ps(sums[output][group], (__m512bh)factor, (__m512bh)rows[group]);
    }
  }
  for (int output = 0; output < outputs; ++output)
    for (int group = 0; group < groups; ++group)
      _mm512_storeu_ps(y + output * stride + group * kGroup, sums[output][group]);
}

BF16_VECTORS inline void multiply_vectors(float *y, const bf16 *packed, int64_t groups, int64_t size, int64_t stride,
                                          const bf16 *w, int64_t w_stride, int64_t outputs) {
  constexpr int kOutputs = 8;
  for (int64_t output = 0; output < outputs; output += kOutputs, w += kOutputs * w_stride, y += kOutputs * stride) {
    int64_t group = 0;
    for (; group + 2 <= groups; group += 2)
      sum_packed<kOutputs, 2>(y + group * kGroup, stride, packed + group * kGroup * size, size, w, w_stride);
    if (group < groups)
      sum_packed<kOutputs, 1>(y + group * kGroup, stride, packed + group * kGroup * size, size, w, w_stride);
  }
}

#endif

#ifdef CTORCH_AMX

TILED inline void multiply_tiles(float *y, const bf16 *packed, int64_t groups, int64_t size, int64_t stride,
                                 const bf16 *w, int64_t w_stride, int64_t outputs) {
  TileScope scope;
  for (int64_t output = 0; output < outputs; output += 2 * kTileRows, w += 2 * kTileRows * w_stride)
    for (int64_t group = 0; group < groups; group += 2) {
      const bf16 *x = packed + group * kTileRows * size;
      float *upper = y + output * stride + group * kTileRows, *lower = upper + kTileRows * stride;
      if (group + 1 < groups) {
        ctorch::sum_products<2>(w, w_stride, x, size);
        _tile_stored(1, upper + kTileRows, stride * 4);
        _tile_stored(3, lower + kTileRows, stride * 4);
      } else {
        ctorch::sum_products<1>(w, w_stride, x, size);
      }
      _tile_stored(0, upper, stride * 4);
      _tile_stored(2, lower, stride * 4);
    }
}

#endif

}  // namespace ctorch::row_network
