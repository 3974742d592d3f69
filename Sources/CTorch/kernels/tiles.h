// Products of bfloat16 tiles (Intel AMX): 16 × 32 by 32 × 16 entries an instruction, summed in float32.

#pragma once

#include <cstdint>

#include "vectorized.h"

#if defined(__x86_64__) && defined(__linux__)
#define CTORCH_TILES
#include <immintrin.h>

#define TILED __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

namespace ctorch {

constexpr int64_t tile_rows = 16, tile_depth = 32;

// Whether processor and system let this process use tiles. `CALM_NO_AMX=1` says no, to try the other paths.
bool has_tiles();

// Within it the thread's eight tiles are configured to full size.
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

// [32 rows of w] times [32 rows of x, packed in two groups]: four tiles [16 of w][16 of x], the two groups of x side by
// side. size: a multiple of 32.
TILED INLINE void multiply_tiles(float (*tiles)[tile_rows * tile_rows], const bf16 *w, const bf16 *x, int64_t size) {
  const bf16 *w1 = w + tile_rows * size, *x1 = x + tile_rows * size;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < size; i += tile_depth) {
    _tile_loadd(4, w + i, size * 2);
    _tile_loadd(6, x + i * tile_rows, 64);
    _tile_loadd(5, w1 + i, size * 2);
    _tile_loadd(7, x1 + i * tile_rows, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, tiles[0], 64);
  _tile_stored(1, tiles[1], 64);
  _tile_stored(2, tiles[2], 64);
  _tile_stored(3, tiles[3], 64);
}

}  // namespace ctorch

#endif
