// Products of int8 vectors with a block of weights, with tiles (AMX) or vectors (AVX-512 VNNI).

#pragma once

#include <cstring>

#include "int8_weight.h"

#ifdef CTORCH_AMX

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

namespace ctorch {

// The part of the next block of weights to prefetch while a group of vectors is multiplied by the current block: bytes
// `begin` to `end` of each step of the depth.
struct Prefetch {
  const uint8_t *block;
  int64_t begin, end;

  INLINE void operator()(int64_t depth) const {
    for (int64_t i = begin; i < end; i += 64) __builtin_prefetch(block + depth * kBlockRows + i);
  }
};

// The products of up to 32 vectors with a block, [32][32], in tiles of 16 × 16.
template <bool second>
TILED INLINE void sum_in_tiles(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t depth, Prefetch prefetch) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < depth; i += kDepthStep) {
    prefetch(i);
    _tile_loadd(4, x + i, depth);
    _tile_loadd(6, w + i * kHalfBlock, kDepthStep);
    _tile_loadd(7, w + (depth + i) * kHalfBlock, kDepthStep);
    if (second) _tile_loadd(5, x + kHalfBlock * depth + i, depth);
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    if (second) _tile_dpbsud(2, 5, 6);
    if (second) _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums, kBlockRows * 4);
  _tile_stored(1, sums + kHalfBlock, kBlockRows * 4);
  if (second) _tile_stored(2, sums + kHalfBlock * kBlockRows, kBlockRows * 4);
  if (second) _tile_stored(3, sums + kHalfBlock * kBlockRows + kHalfBlock, kBlockRows * 4);
}

TILED inline void multiply_tiles(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth,
                                 Prefetch prefetch) {
  if (rows > kHalfBlock)
    sum_in_tiles<true>(sums, x, w, depth, prefetch);
  else
    sum_in_tiles<false>(sums, x, w, depth, prefetch);
}

// The same with vectors: `count` rows share each load of the block.
template <int count>
VNNI INLINE void multiply_rows(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t depth) {
  const uint8_t *w1 = w + kHalfBlock * depth;
  __m512i left[count], right[count];
  for (int row = 0; row < count; ++row) left[row] = right[row] = _mm512_setzero_si512();
  for (int64_t i = 0; i < depth; i += 4) {
    __m512i a = _mm512_loadu_si512(w + i * kHalfBlock), b = _mm512_loadu_si512(w1 + i * kHalfBlock);
    for (int row = 0; row < count; ++row) {
      int32_t four;
      std::memcpy(&four, x + row * depth + i, 4);
      left[row] = _mm512_dpbusd_epi32(left[row], a, _mm512_set1_epi32(four));
      right[row] = _mm512_dpbusd_epi32(right[row], b, _mm512_set1_epi32(four));
    }
  }
  for (int row = 0; row < count; ++row) {
    _mm512_storeu_si512(sums + row * kBlockRows, left[row]);
    _mm512_storeu_si512(sums + row * kBlockRows + kHalfBlock, right[row]);
  }
}

VNNI inline void multiply_vectors(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth,
                                  Prefetch prefetch) {
  for (int64_t i = 0; i < depth; i += kDepthStep) prefetch(i);
  int64_t row = 0;
  for (; row + 8 <= rows; row += 8) multiply_rows<8>(sums + row * kBlockRows, x + row * depth, w, depth);
  for (; row + 4 <= rows; row += 4) multiply_rows<4>(sums + row * kBlockRows, x + row * depth, w, depth);
  for (; row < rows; ++row) multiply_rows<1>(sums + row * kBlockRows, x + row * depth, w, depth);
}

}  // namespace ctorch

#endif
