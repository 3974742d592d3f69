// The index of the largest entry in each row of hidden·weightᵀ, exactly: as if the product were computed without
// rounding.
//
// A first pass computes each entry within a proven error bound and keeps the candidates: the entries that may be the
// largest. If a row has several candidates, a second pass computes them in double precision. The result therefore does
// not depend on the precision of the first pass, nor on blocks, threads or the other rows. The first pass uses int8 if
// the weight is quantized (int8_argmax.cpp), bfloat16 on processors with AMX (16,384 multiply-adds per instruction, in
// tiles of 16 × 16 entries), and otherwise libtorch's products. With AMX no logits are stored: each tile is compared as
// soon as it is computed.
//
// The error bounds. A bfloat16 has 8 significant bits, 7 of them stored. From 2ⁿ to 2ⁿ⁺¹ the spacing is 2ⁿ⁻⁷, so
// rounding to nearest has an error of at most 2ⁿ⁻⁸. The unit roundoff is therefore u = 2⁻⁸.
//
//   1. Factors in float32, rounded to bfloat16: ‖ŵ − w‖ ≤ u‖w‖ and ‖x̂ − x‖ ≤ u‖x‖. By the Cauchy–Schwarz inequality,
//        |ŵ·x̂ − w·x| ≤ |(ŵ − w)·x| + |w·(x̂ − x)| + |(ŵ − w)·(x̂ − x)| ≤ (2u + u²)‖w‖‖x‖.
//   2. Exact factors and a product rounded to bfloat16: the error is at most u·|w·x| ≤ u‖w‖‖x‖.
//   3. A sum of D products in float32, whose unit roundoff is v = 2⁻²⁴: in any order, the error is at most
//      Dv/(1 − Dv)·Σ|wᵢxᵢ|, and Σ|wᵢxᵢ| ≤ ‖w‖‖x‖. `error_of_sums` is 2Dv, which also covers the factors 1/(1 − Dv) and
//      (1 + u)² of rounded vectors, plus 32v for the norms, the product of the three and the comparisons.
//
// Each bound is relative to ‖w‖‖x‖, so `length` is the norm. Processors may flush numbers below 2⁻¹²⁶ to zero, which
// changes a vector by at most √D·2⁻¹²⁶: `length` adds √D·2⁻¹¹⁸, which is multiplied by u. `kTiny` covers products and
// sums below 2⁻¹²⁶. Products must not overflow float32.
//
// The int8 pass (int8_argmax.cpp) adds one rounding: its sums are exact integers, and converting them to float32 has an
// error of at most v·255·m·D ≤ 2.01·Dv·‖ŵ‖‖x̂‖, because the largest integer of a row of weights is 127 and that of a
// vector is m. `error_of_sums` covers it.

#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include "../support.h"
#include "amx_tiles.h"
#include "argmax_search.h"
#include "int8_argmax.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;

namespace {

template <typename T>
INLINE double exact_product(const T *a, const T *b, int64_t size) {
  ANY_ORDER
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(load(a[i])) * static_cast<double>(load(b[i]));
  return sum;
}

template <typename T>
INLINE float length(const T *x, int64_t size) {
  ANY_ORDER
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(load(x[i])) * static_cast<double>(load(x[i]));
  return sum == 0 ? 0.0f : static_cast<float>(std::sqrt(sum) + std::sqrt(static_cast<double>(size)) * 0x1p-118);
}

constexpr float kUnitRoundoff = 0x1p-8f;  // of bfloat16

// The error bound of a product of two vectors that are rounded to bfloat16, relative to their norms.
float error_of_rounded_factors(int64_t size) {
  return 2 * kUnitRoundoff + kUnitRoundoff * kUnitRoundoff + error_of_sums(size);
}

// The same if only the product is rounded.
float error_of_rounded_product(int64_t size) { return kUnitRoundoff + error_of_sums(size); }

// The second pass: writes the index of the largest candidate of each row.
template <typename T>
void resolve(int64_t *result, std::vector<Search> &searches, const T *x, const T *weight, int64_t rows, int64_t size) {
  std::vector<float> lower(rows, -std::numeric_limits<float>::infinity());
  for (const Search &search : searches)
    for (int64_t row = 0; row < rows; ++row) lower[row] = std::max(lower[row], search.lower[row]);
  std::vector<std::vector<int64_t>> left(rows);
  for (const Search &search : searches)
    for (const Candidate &candidate : search.candidates)
      if (candidate.upper >= lower[candidate.row]) left[candidate.row].push_back(candidate.index);
  parallel_for(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t best = left[row].empty() ? 0 : left[row][0];
      if (left[row].size() > 1) {
        double top = -std::numeric_limits<double>::infinity();
        for (int64_t index : left[row]) {
          double value = vectorized<exact_product<T>>(x + row * size, weight + index * size, size);
          if (value > top || (value == top && index < best)) top = value, best = index;
        }
      }
      result[row] = best;
    }
  });
}

// The first pass with libtorch's products, which are rounded to the element type.
template <typename T>
Search search_plainly(const at::Tensor &hidden, const at::Tensor &weight) {
  int64_t rows = hidden.size(0), size = hidden.size(1), vocabulary = weight.size(0);
  std::vector<float> lengths(vocabulary);
  parallel_for(vocabulary, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) lengths[i] = vectorized<length<T>>(data<T>(weight) + i * size, size);
  });
  float longest = vocabulary > 0 ? *std::max_element(lengths.begin(), lengths.end()) : 0;
  // About four megabytes of logits at a time: they fit in the cache, and the product is efficient.
  int64_t block = std::clamp<int64_t>((1 << 20) / std::max<int64_t>(1, vocabulary), 32, 4096);
  float relative = std::is_same_v<T, bf16> ? error_of_rounded_product(size) : error_of_sums(size);
  std::vector<std::vector<int64_t>> found(rows);
  for (int64_t begin = 0; begin < rows; begin += block) {
    int64_t count = std::min(block, rows - begin);
    at::Tensor logits = at::mm(hidden.narrow(0, begin, count), weight.t());
    parallel_for(count, 4, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const T *line = data<T>(logits) + row * vocabulary;
        float error = relative * longest * vectorized<length<T>>(data<T>(hidden) + (begin + row) * size, size);
        float lower = vectorized<largest<T>>(line, vocabulary) - 2 * (error > 0 ? error + kTiny : 0);
        for (int64_t i = 0; i < vocabulary; ++i) {
          if (load(line[i]) < lower || std::isnan(load(line[i]))) continue;
          found[begin + row].push_back(i);
          if (error == 0) break;
        }
      }
    });
  }
  Search search(rows);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t index : found[row]) search.candidates.push_back({row, index, std::numeric_limits<float>::infinity()});
  return search;
}

#ifdef CTORCH_AMX

INLINE void round_all(bf16 *y, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], x[i]);
}
void rounded(bf16 *y, const float *x, int64_t count) { vectorized<round_all>(y, x, count); }
void rounded(bf16 *y, const bf16 *x, int64_t count) { std::memcpy(static_cast<void *>(y), x, count * sizeof(bf16)); }

TILED void pack_group(bf16 *packed, const bf16 *x, int64_t rows, int64_t size) { pack_rows(packed, x, rows, size); }

// The rows of x in groups with the layout of `pack_rows`.
template <typename T>
std::vector<bf16> packed(const T *x, int64_t rows, int64_t size, int64_t groups) {
  std::vector<bf16> result(groups * kTileRows * size);
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<bf16> copy(kTileRows * size);
    for (int64_t group = begin; group < end; ++group) {
      int64_t count = std::clamp<int64_t>(rows - group * kTileRows, 0, kTileRows);
      rounded(copy.data(), x + group * kTileRows * size, count * size);
      pack_group(result.data() + group * kTileRows * size, copy.data(), count, size);
    }
  });
  return result;
}

// Compares the entries of 2 × 2 tiles, [32 of the vocabulary][32 rows], with the lower bounds of the rows. The bounds
// are padded to whole groups: a missing row has an infinite lower bound.
TILED void compare(const float (*tiles)[kTileRows * kTileRows], const float *errors, int64_t index, int64_t count,
                   int64_t group, const float *lengths, float *lower, Search &search, int64_t rows) {
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t part = 0; part < 2; ++part) {
      const float *tile = tiles[half * 2 + part];
      int64_t lines = std::min<int64_t>(kTileRows, count - half * kTileRows), first = (group + part) * kTileRows;
      if (lines <= 0) continue;
      __m512 bound = _mm512_loadu_ps(lower + first), scale = _mm512_loadu_ps(lengths + first);
      for (int64_t line = 0; line < lines; ++line) {
        int64_t place = half * kTileRows + line;
        __m512 upper = _mm512_fmadd_ps(_mm512_set1_ps(errors[place]), scale, _mm512_load_ps(tile + line * kTileRows));
        __mmask16 mask = _mm512_cmp_ps_mask(upper, bound, _CMP_GE_OQ);
        if (!mask) continue;
        for (unsigned bits = mask; bits; bits &= bits - 1) {
          int64_t row = first + __builtin_ctz(bits);
          if (row >= rows) continue;
          float error = errors[place] * lengths[row];
          search.consider(row, index + place, tile[line * kTileRows + row - first], error, lower[row]);
        }
        bound = _mm512_loadu_ps(lower + first);
      }
    }
}

template <typename T>
TILED void search_blocks(Search &search, const T *weight, int64_t vocabulary, int64_t first, int64_t last,
                         const bf16 *x, const float *lengths, int64_t rows, int64_t groups, int64_t size) {
  constexpr int64_t lines = 2 * kTileRows;
  std::vector<float> lower(groups * kTileRows, std::numeric_limits<float>::infinity());
  std::fill(lower.begin(), lower.begin() + rows, -std::numeric_limits<float>::infinity());
  std::vector<bf16> copy(lines * size, bf16{0});
  alignas(64) float tiles[4][kTileRows * kTileRows];
  float errors[lines], relative = std::is_same_v<T, float> ? error_of_rounded_factors(size) : error_of_sums(size);
  TileScope scope;
  for (int64_t block = first; block < last; ++block) {
    int64_t index = block * lines, count = std::min<int64_t>(lines, vocabulary - index);
    const T *source = weight + index * size;
    const bf16 *w = reinterpret_cast<const bf16 *>(source);
    if (std::is_same_v<T, float> || count < lines) {
      rounded(copy.data(), source, count * size);
      w = copy.data();
    }
    for (int64_t line = 0; line < count; ++line)
      errors[line] = relative * vectorized<length<T>>(source + line * size, size);
    for (int64_t group = 0; group < groups; group += 2) {
      multiply_tiles(tiles, w, size, x + group * kTileRows * size, size);
      compare(tiles, errors, index, count, group, lengths, lower.data(), search, rows);
    }
  }
}

template <typename T>
std::vector<Search> search_tiles(const T *x, const T *weight, int64_t rows, int64_t size, int64_t vocabulary) {
  int64_t groups = (rows + 2 * kTileRows - 1) / (2 * kTileRows) * 2;
  std::vector<bf16> second = packed(x, rows, size, groups);
  std::vector<float> lengths(groups * kTileRows, 0);
  for (int64_t row = 0; row < rows; ++row) lengths[row] = vectorized<length<T>>(x + row * size, size);
  int64_t blocks = (vocabulary + 2 * kTileRows - 1) / (2 * kTileRows);
  int64_t parts = std::min<int64_t>(blocks, at::get_num_threads());
  std::vector<Search> searches(parts, Search(rows));
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      search_blocks(searches[part], weight, vocabulary, blocks * part / parts, blocks * (part + 1) / parts,
                    second.data(), lengths.data(), rows, groups, size);
  });
  return searches;
}

#endif

template <typename T>
std::vector<Search> search(const at::Tensor &hidden, const at::Tensor &weight) {
#ifdef CTORCH_AMX
  if (hidden.size(1) % kTileDepth == 0 && has_amx_tiles())
    return search_tiles(data<T>(hidden), data<T>(weight), hidden.size(0), hidden.size(1), weight.size(0));
#endif
  return {search_plainly<T>(hidden, weight)};
}

}  // namespace

float ct_bfloat16_product_error(int64_t size) { return error_of_rounded_factors(size); }

int ct_linear_argmax(ct_tensor *out, ct_tensor hidden, ct_tensor weight, const ct_int8_weight *quantized) {
  return make(out, [&] {
    at::NoGradGuard without_gradients;
    TORCH_CHECK(hidden->value.dim() == 2 && weight->value.dim() == 2 && hidden->value.size(1) == weight->value.size(1),
                "projection of ", hidden->value.sizes(), " by a weight of ", weight->value.sizes());
    at::Tensor h = hidden->value.contiguous(), w = weight->value.contiguous();
    int64_t rows = h.size(0), size = h.size(1), vocabulary = w.size(0);
    at::Tensor result = at::zeros({rows}, h.options().dtype(at::kLong));
    if (!is_supported(h) || h.scalar_type() != w.scalar_type()) {
      int64_t block = std::clamp<int64_t>((1 << 26) / std::max<int64_t>(1, vocabulary), 32, 4096);
      for (int64_t begin = 0; begin < rows; begin += block) {
        int64_t count = std::min(block, rows - begin);
        result.narrow(0, begin, count).copy_(at::mm(h.narrow(0, begin, count), w.t()).argmax(1));
      }
      return result;
    }
    if (rows == 0 || vocabulary == 0) return result;
    with_element(h, [&]<typename T>() {
      std::vector<Search> searches;
      if (quantized) searches = search_int8(*quantized, data<T>(h), rows, size, vocabulary);
      if (searches.empty()) searches = search<T>(h, w);
      resolve(data<int64_t>(result), searches, data<T>(h), data<T>(w), rows, size);
    });
    return result;
  });
}
