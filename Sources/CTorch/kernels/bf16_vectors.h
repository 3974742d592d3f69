// Rows of bfloat16 numbers in the order that products of vectors (AVX-512 BF16) and of tiles (AMX) read.

#pragma once

#include <cstdint>

#include "vectorized.h"

#ifdef __x86_64__
#include <immintrin.h>

#define BF16_VECTORS __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

namespace ctorch {

// Packed numbers are [size / 2][16][2]: pairs of entries of sixteen rows. The size is a multiple of 32.
constexpr int64_t kPackedRows = 16, kPackedDepth = 32;

// Transposes 16 × 16 entries of 32 bits.
BF16_VECTORS INLINE void transpose(__m512 (&r)[16]) {
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

// Packs up to sixteen rows of x. Missing rows are zeros.
BF16_VECTORS INLINE void pack_rows(bf16 *packed, const bf16 *x, int64_t rows, int64_t size) {
  for (int64_t i = 0; i < size; i += kPackedDepth) {
    __m512 r[16];
    for (int row = 0; row < 16; ++row) r[row] = row < rows ? _mm512_loadu_ps(x + row * size + i) : _mm512_setzero_ps();
    transpose(r);
    for (int pair = 0; pair < 16; ++pair) _mm512_storeu_ps(packed + i * kPackedRows + pair * 2 * kPackedRows, r[pair]);
  }
}

// The packed pairs of features 2i and 2i + 1 of sixteen rows, which are stored `stride` apart.
BF16_VECTORS INLINE __m512i packed_pairs(const float *feature, int64_t stride) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(feature + stride), _mm512_loadu_ps(feature));
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i &>(both));
}

}  // namespace ctorch

#endif
