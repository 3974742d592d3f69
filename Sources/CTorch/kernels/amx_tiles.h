// Products of bfloat16 tiles (Intel AMX): 16 × 32 by 32 × 16 entries per instruction, summed in float32.

#pragma once

#include <cstdint>

#include "../processor.h"
#include "vectorized.h"

#if defined(__x86_64__) && defined(__linux__)
#define CTORCH_AMX
#include <immintrin.h>

#define TILED __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

namespace ctorch {

constexpr int64_t kTileRows = 16, kTileDepth = 32;

inline bool has_amx_tiles() { return cpu_level() >= CPULevel::amx; }

// While it exists, the thread's eight tiles are configured to full size.
struct TileScope {
  TILED INLINE TileScope() {
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    _tile_loadconfig(&configuration);
  }
  TILED INLINE ~TileScope() { _tile_release(); }
};

// Transposes 16 × 16 entries of 32 bits.
TILED INLINE void transpose(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      __m512d even = _mm512_castps_pd(t[i + j]), odd = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(even, odd));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd));
    }
  // Each quarter of r[4i + j] now holds rows 4i … 4i + 3 of column 4·quarter + j.
  for (int j = 0; j < 4; ++j) {
    t[j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    t[4 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    t[8 + j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
    t[12 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
  }
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm512_shuffle_f32x4(t[j], t[4 + j], 0x88);
    r[4 + j] = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0x88);
    r[8 + j] = _mm512_shuffle_f32x4(t[j], t[4 + j], 0xdd);
    r[12 + j] = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0xdd);
  }
}

// Up to sixteen rows of x in the order of the second factor of tiles: pairs of entries of all rows,
// [size / 2][16][2]. size: a multiple of 32. Missing rows are zeros.
TILED INLINE void pack_rows(bf16 *packed, const bf16 *x, int64_t rows, int64_t size) {
  for (int64_t i = 0; i < size; i += kTileDepth) {
    __m512 r[16];
    for (int row = 0; row < 16; ++row) r[row] = row < rows ? _mm512_loadu_ps(x + row * size + i) : _mm512_setzero_ps();
    transpose(r);
    for (int pair = 0; pair < 16; ++pair) _mm512_storeu_ps(packed + i * kTileRows + pair * 2 * kTileRows, r[pair]);
  }
}

// The products of 32 rows of w, `stride` apart, and 16 · groups packed rows of x, as [16 of w][16 of x]: in tiles 0 and
// 2 for one group of x, in tiles 0 … 3 for two. size: a multiple of 32.
template <int groups>
TILED INLINE void sum_products(const bf16 *w, int64_t stride, const bf16 *x, int64_t size) {
  const bf16 *w1 = w + kTileRows * stride, *x1 = x + kTileRows * size;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < size; i += kTileDepth) {
    _tile_loadd(4, w + i, stride * 2);
    _tile_loadd(6, x + i * kTileRows, 64);
    _tile_loadd(5, w1 + i, stride * 2);
    if (groups == 2) _tile_loadd(7, x1 + i * kTileRows, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (groups == 2) _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    if (groups == 2) _tile_dpbf16ps(3, 5, 7);
  }
}

// The products of 32 rows of w and 32 packed rows of x, in four tiles.
TILED INLINE void multiply_tiles(float (*tiles)[kTileRows * kTileRows], const bf16 *w, int64_t stride, const bf16 *x,
                                 int64_t size) {
  sum_products<2>(w, stride, x, size);
  _tile_stored(0, tiles[0], 64);
  _tile_stored(1, tiles[1], 64);
  _tile_stored(2, tiles[2], 64);
  _tile_stored(3, tiles[3], 64);
}

}  // namespace ctorch

#endif
