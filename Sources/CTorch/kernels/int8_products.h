// Products of int8 vectors with a block of weights.
//
// Tiles (AMX) multiply whole blocks. For all other processors the loops are the same, and only the innermost products
// differ: a type such as `PlainProducts` says how a few entries of the vocabulary are multiplied by a vector.

#pragma once

#include <cstring>

#include "amx_tiles.h"
#include "int8_weight.h"

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

// MARK: Innermost products

// The weights are stored with this offset, which the sums include unless the products remove it.
constexpr int kWeightOffset = 128;

// Vectors that every processor has. Each product of bytes is computed in 16 bits, into which four of them fit:
// 4 · 127 · 64 < 2¹⁵.
struct PlainProducts {
  static constexpr int kLimit = 64, kOffset = 0;
  static constexpr int kMostRows = 16;            // with more, float32 products are faster
  static constexpr int kEntries = 4, kDepth = 8;  // of an addition of products
  static constexpr int kRows = 4, kVectors = 4;   // that share loads
  typedef int16_t Weights __attribute__((vector_size(16)));
  typedef int32_t Sums __attribute__((vector_size(16)));

  static INLINE Weights low(Weights x) { return (Weights)((Bits)x << 8) >> 8; }
  static INLINE Weights high(Weights x) { return x >> 8; }

  // The sums of the products of two adjacent bytes.
  static INLINE Weights pairs(Weights w, const int8_t *x) {
    int32_t four;
    std::memcpy(&four, x, 4);
    Weights repeated = (Weights)(Sums{} + four), centered = w ^ static_cast<int16_t>(0x8080);
    return low(centered) * low(repeated) + high(centered) * high(repeated);
  }

  static INLINE void add(Sums &sums, const Weights (&w)[2], const int8_t *x) {
    Weights products = pairs(w[0], x) + pairs(w[1], x + 4);
    sums += ((Sums)products >> 16) + ((Sums)((Words)products << 16) >> 16);
  }

 private:
  typedef uint16_t Bits __attribute__((vector_size(16)));
  typedef uint32_t Words __attribute__((vector_size(16)));
};

#ifdef __x86_64__

// An instruction multiplies bytes and adds pairs of the products in 16 bits: 2 · 255 · 64 < 2¹⁵. With the bytes
// widened, vectors up to 127 would leave fewer candidates, but these products are about 1.5 times as fast. With vectors
// up to 32, four products would fit, but then the second pass takes longer.
struct AVX2Products {
  static constexpr int kLimit = 64, kOffset = kWeightOffset;
  static constexpr int kEntries = 8, kDepth = 4;
  static constexpr int kRows = 4, kVectors = 2;
  typedef __m256i Weights;
  typedef __m256i Sums;

  __attribute__((target(AVX2_FEATURES))) static inline void add(Sums &sums, const Weights (&w)[1], const int8_t *x) {
    int32_t four;
    std::memcpy(&four, x, 4);
    __m256i pairs = _mm256_maddubs_epi16(w[0], _mm256_set1_epi32(four));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

#define VNNI_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma"

struct VNNIProducts {
  static constexpr int kLimit = 127, kOffset = kWeightOffset;
  static constexpr int kEntries = 16, kDepth = 4;
  static constexpr int kRows = 8, kVectors = 2;
  typedef __m512i Weights;
  typedef __m512i Sums;

  __attribute__((target(VNNI_FEATURES))) static inline void add(Sums &sums, const Weights (&w)[1], const int8_t *x) {
    int32_t four;
    std::memcpy(&four, x, 4);
    sums = _mm512_dpbusd_epi32(sums, w[0], _mm512_set1_epi32(four));
  }
};

#endif

// MARK: Loops

// The products of `rows` vectors with the entries from `first` on that share loads.
template <typename Products, int rows>
INLINE void multiply_rows(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t first, int64_t depth) {
  constexpr int vectors = Products::kVectors, steps = Products::kDepth / 4;
  typename Products::Sums totals[rows][vectors] = {};
  for (int64_t i = 0; i < depth; i += Products::kDepth) {
    typename Products::Weights weights[vectors][steps];
    for (int vector = 0; vector < vectors; ++vector) {
      int64_t entry = first + vector * Products::kEntries;
      const uint8_t *place = w + entry / kHalfBlock * kHalfBlock * depth + entry % kHalfBlock * 4;
      for (int step = 0; step < steps; ++step)
        std::memcpy(&weights[vector][step], place + (i + 4 * step) * kHalfBlock, sizeof weights[vector][step]);
    }
#pragma unroll
    for (int row = 0; row < rows; ++row)
#pragma unroll
      for (int vector = 0; vector < vectors; ++vector)
        Products::add(totals[row][vector], weights[vector], x + row * depth + i);
  }
  for (int row = 0; row < rows; ++row) std::memcpy(sums + row * kBlockRows + first, totals[row], sizeof totals[row]);
}

// The products of up to 32 vectors with a block, [32][32].
template <typename Products>
INLINE void multiply_block(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth,
                           Prefetch prefetch) {
  for (int64_t i = 0; i < depth; i += kDepthStep) prefetch(i);
  for (int64_t first = 0; first < kBlockRows; first += Products::kVectors * Products::kEntries) {
    int64_t row = 0;
    for (; row + Products::kRows <= rows; row += Products::kRows)
      multiply_rows<Products, Products::kRows>(sums + row * kBlockRows, x + row * depth, w, first, depth);
    if constexpr (Products::kRows > 4)
      for (; row + 4 <= rows; row += 4)
        multiply_rows<Products, 4>(sums + row * kBlockRows, x + row * depth, w, first, depth);
    for (; row < rows; ++row) multiply_rows<Products, 1>(sums + row * kBlockRows, x + row * depth, w, first, depth);
  }
}

inline void multiply_plainly(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth,
                             Prefetch prefetch) {
  multiply_block<PlainProducts>(sums, x, w, rows, depth, prefetch);
}

#ifdef __x86_64__

__attribute__((target(AVX2_FEATURES))) inline void multiply_avx2(int32_t *sums, const int8_t *x, const uint8_t *w,
                                                                 int64_t rows, int64_t depth, Prefetch prefetch) {
  multiply_block<AVX2Products>(sums, x, w, rows, depth, prefetch);
}

__attribute__((target(VNNI_FEATURES))) inline void multiply_vnni(int32_t *sums, const int8_t *x, const uint8_t *w,
                                                                 int64_t rows, int64_t depth, Prefetch prefetch) {
  multiply_block<VNNIProducts>(sums, x, w, rows, depth, prefetch);
}

#endif

// MARK: Tiles

#ifdef CTORCH_AMX

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

#endif

}  // namespace ctorch
