// The first pass of an argmax in int8: bounds on all products of vectors and a quantized matrix (int8_weight.cpp), of
// which it keeps those that may be the largest.

#include "int8_argmax.h"

#include <atomic>
#include <numeric>

#include "../support.h"
#include "int8_products.h"
#include "parallel.h"

using namespace ctorch;

#ifdef CTORCH_AMX

namespace {

// Quantized vectors, padded with zeros to whole groups.
struct Int8Rows {
  std::vector<int8_t> numbers;  // [rows][depth]
  std::vector<float> offsets;   // the share of the sums that is due to the offset of 128 of the weights
  std::vector<float> scales, inverses;
  std::vector<float> lengths, lost;  // ‖x‖ and ‖x − x̂‖
  bool finite = true;
};

template <typename T>
Int8Rows quantize_rows(const T *x, int64_t rows, int64_t size) {
  int64_t depth = padded_depth(size), room = (rows + kBlockRows - 1) / kBlockRows * kBlockRows;
  Int8Rows result;
  result.numbers.resize(room * depth);
  for (auto *values : {&result.offsets, &result.scales, &result.inverses, &result.lengths, &result.lost})
    values->resize(room);
  std::atomic<bool> finite = true;
  parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int8_t *numbers = result.numbers.data() + row * depth;
      Quantized bounds;
      vectorized<quantize<T>>(bounds, numbers, x + row * size, size);
      if (std::isnan(bounds.scale)) finite = false;
      result.offsets[row] = static_cast<float>(128 * std::accumulate(numbers, numbers + size, int32_t{0}));
      result.scales[row] = bounds.scale;
      result.inverses[row] = 1 / bounds.scale;
      result.lost[row] = bounds.lost + error_of_sums(size) * bounds.length;
      result.lengths[row] = bounds.length + bounds.lost;
    }
  });
  result.finite = finite;
  return result;
}

// Compares the sums of up to 32 vectors, starting at `first`, with the lower bounds of their maxima.
VNNI void compare(const int32_t *sums, const BlockBounds &block, int64_t index, int64_t count, int64_t first,
                  int64_t rows, const Int8Rows &x, float *lower, Search &search) {
  // The thresholds are divided by the scales of the vectors, because the sums are not multiplied by them yet.
  alignas(64) float errors[kBlockRows], thresholds[kBlockRows];
  for (int64_t row = 0; row < rows; row += kHalfBlock) {
    __m512 error = _mm512_mul_ps(_mm512_set1_ps(block.lost), _mm512_loadu_ps(&x.lengths[first + row]));
    error = _mm512_fmadd_ps(_mm512_set1_ps(block.length), _mm512_loadu_ps(&x.lost[first + row]), error);
    __m512 needed = _mm512_sub_ps(_mm512_loadu_ps(lower + first + row), error);
    _mm512_store_ps(errors + row, error);
    _mm512_store_ps(thresholds + row, _mm512_mul_ps(needed, _mm512_loadu_ps(&x.inverses[first + row])));
  }
  __m512 left = _mm512_loadu_ps(block.scales), right = _mm512_loadu_ps(block.scales + kHalfBlock);
  uint32_t there = static_cast<uint32_t>((uint64_t{1} << count) - 1);
  for (int64_t row = 0; row < rows; ++row, sums += kBlockRows) {
    __m512 offsets = _mm512_set1_ps(x.offsets[first + row]), needed = _mm512_set1_ps(thresholds[row]);
    __m512 a = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums)), offsets), left);
    __m512 b = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums + kHalfBlock)), offsets), right);
    uint32_t found = _mm512_cmp_ps_mask(a, needed, _CMP_GE_OQ) |
                     static_cast<uint32_t>(_mm512_cmp_ps_mask(b, needed, _CMP_GE_OQ)) << kHalfBlock;
    if (!(found &= there)) continue;
    float scale = x.scales[first + row];
    alignas(64) float values[kBlockRows];
    _mm512_store_ps(values, _mm512_mul_ps(a, _mm512_set1_ps(scale)));
    _mm512_store_ps(values + kHalfBlock, _mm512_mul_ps(b, _mm512_set1_ps(scale)));
    for (; found; found &= found - 1) {
      int64_t i = __builtin_ctz(found);
      search.consider(first + row, index + i, values[i], errors[row], lower[first + row]);
    }
  }
}

using Multiply = void (*)(int32_t *, const int8_t *, const uint8_t *, int64_t, int64_t, Prefetch);

void search_blocks(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary, int64_t begin,
                   int64_t end, const Int8Rows &x, int64_t rows, int64_t depth, Multiply multiply) {
  // Finite, so that numbers computed from it are finite; padded to whole groups.
  std::vector<float> lower(x.scales.size(), std::numeric_limits<float>::lowest() / 2);
  alignas(64) int32_t sums[kBlockRows * kBlockRows];
  int64_t groups = (rows + kBlockRows - 1) / kBlockRows,
          bytes = (kBlockRows * kDepthStep / 64 + groups - 1) / groups * 64;
  for (int64_t block = begin; block < end; ++block) {
    const uint8_t *w = weight + block * kBlockRows * depth;
    int64_t index = block * kBlockRows, count = std::min<int64_t>(kBlockRows, vocabulary - index);
    for (int64_t first = 0; first < rows; first += kBlockRows) {
      int64_t group = std::min<int64_t>(kBlockRows, rows - first);
      Prefetch prefetch{w + kBlockRows * depth, first / kBlockRows * bytes,
                        std::min((first / kBlockRows + 1) * bytes, kBlockRows * kDepthStep)};
      multiply(sums, x.numbers.data() + first * depth, w, group, depth, prefetch);
      compare(sums, bounds[block], index, count, first, group, x, lower.data(), search);
    }
  }
}

TILED void search_in_tiles(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary,
                           int64_t begin, int64_t end, const Int8Rows &x, int64_t rows, int64_t depth) {
  TileScope scope;
  search_blocks(search, weight, bounds, vocabulary, begin, end, x, rows, depth, multiply_tiles);
}

template <typename T>
std::vector<Search> search_all(const ct_int8_weight &weight, const T *x, int64_t rows, int64_t size,
                               int64_t vocabulary) {
  int64_t blocks = (vocabulary + kBlockRows - 1) / kBlockRows;
  Int8Rows quantized = quantize_rows(x, rows, size);
  if (!quantized.finite) return {};
  int64_t parts = std::min<int64_t>(blocks, at::get_num_threads());
  std::vector<Search> searches(parts, Search(rows));
  const auto *bounds = reinterpret_cast<const BlockBounds *>(data<float>(weight.bounds->value));
  const uint8_t *numbers = data<uint8_t>(weight.numbers->value);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      int64_t first = blocks * part / parts, last = blocks * (part + 1) / parts;
      if (has_amx_tiles())
        search_in_tiles(searches[part], numbers, bounds, vocabulary, first, last, quantized, rows, padded_depth(size));
      else
        search_blocks(searches[part], numbers, bounds, vocabulary, first, last, quantized, rows, padded_depth(size),
                      multiply_vectors);
    }
  });
  size_t left = 0;
  for (const Search &search : searches) left += search.candidates.size();
  if (left > static_cast<size_t>(1024 * (rows + 16))) return {};
  return searches;
}

}  // namespace

#endif

namespace ctorch {

template <typename T>
std::vector<Search> search_int8(const ct_int8_weight &weight, const T *x, int64_t rows, int64_t size,
                                int64_t vocabulary) {
#ifdef CTORCH_AMX
  return search_all(weight, x, rows, size, vocabulary);
#else
  return {};
#endif
}

template std::vector<Search> search_int8(const ct_int8_weight &, const float *, int64_t, int64_t, int64_t);
template std::vector<Search> search_int8(const ct_int8_weight &, const bf16 *, int64_t, int64_t, int64_t);

}  // namespace ctorch
