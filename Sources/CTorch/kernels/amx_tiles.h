// Products of bfloat16 tiles (Intel AMX): 16 × 32 by 32 × 16 entries per instruction, summed in float32.

#pragma once

#include <cstdint>

#include "../processor.h"
#include "bf16_vectors.h"

#if defined(__x86_64__) && defined(__linux__)
#define CTORCH_AMX

#define TILED __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

namespace ctorch {

constexpr int64_t kTileRows = kPackedRows, kTileDepth = kPackedDepth;

inline bool has_amx_tiles() { return cpu_level() >= CPULevel::amx; }

// Configures the thread's eight tiles to full size for as long as it exists.
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
