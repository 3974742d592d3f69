// A matrix of weights in eight bits, for the first pass of an argmax over it.
//
// Each row is rounded to whole numbers of -127…127 times a scale of its own, and so is each vector that it is
// multiplied with. Tiles of such numbers (AMX) take twice as many products an instruction as tiles of bfloat16, vectors of them
// (AVX-512 VNNI) four times as many as of float32, and the matrix takes half or a quarter of the memory, which is what
// reading it for a few rows costs. Their sums are exact; what was lost in rounding is known:
//
//   |ŵ·x̂ − w·x| ≤ ‖w − ŵ‖‖x‖ + ‖ŵ‖‖x − x̂‖
//
// with Cauchy's inequality. Of random vectors that leaves a few tens of 100,000 entries for the second pass.

#include "coarse_weight.h"

#include <ATen/ops/empty.h>

#include <atomic>
#include <numeric>

#include "../support.h"
#include "parallel.h"
#include "tiles.h"

using namespace ctorch;

#ifdef CTORCH_TILES

namespace {

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

bool has_vnni() {
  static const bool found = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return found;
}

// A block is 32 entries of the vocabulary, in two halves as the second factor wants them: [2][depth / 4][16][4]. To
// them 128 is added, because one factor of the instructions is without sign. Vectors come in groups of 32, row by row.
constexpr int64_t lines = 32, half = 16, step = 64;

// What belongs to a block besides its numbers.
struct BlockBounds {
  float scales[lines];
  float lost, length;  // the largest ‖w − ŵ‖ and ‖ŵ‖
};
constexpr int64_t bounds_size = sizeof(BlockBounds) / sizeof(float);

int64_t padded(int64_t size) { return (size + step - 1) / step * step; }

struct Rounded {
  float scale = 1, lost = 0, length = 0;
};

// x → y · scale, for `size` numbers. The norms are rounded up. The scale is no number where x is not finite, or of a
// size at which products of norms leave the range of float32.
template <typename T>
INLINE void round_numbers(Rounded &result, int8_t *y, const T *x, int64_t size) {
  ANY_ORDER
  float top = 0, finite = 0;
  for (int64_t i = 0; i < size; ++i) {
    float value = std::fabs(load(x[i]));
    top = value > top ? value : top;
    finite += value * 0;
  }
  if (finite != 0 || top > 1e12f || (top > 0 && top < 1e-12f)) {
    result.scale = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  float inverse = top > 0 ? 127 / top : 0, lost = 0, length = 0;
  result.scale = top > 0 ? top / 127 : 1;
  for (int64_t i = 0; i < size; ++i) {
    float value = load(x[i]), whole = std::nearbyintf(value * inverse);
    y[i] = static_cast<int8_t>(static_cast<int32_t>(whole));
    float left = value - whole * result.scale;
    lost += left * left;
    length += whole * whole;
  }
  result.lost = std::sqrt(lost) * 1.0001f;
  result.length = std::sqrt(length) * result.scale * 1.0001f;
}
VECTORIZED void round_row(Rounded &result, int8_t *y, const float *x, int64_t size) {
  round_numbers(result, y, x, size);
}
VECTORIZED void round_row(Rounded &result, int8_t *y, const bf16 *x, int64_t size) {
  round_numbers(result, y, x, size);
}

// Vectors rounded; those that are missing to whole groups are zeros.
struct CoarseRows {
  std::vector<int8_t> numbers;  // [rows][depth]
  std::vector<float> excess;  // what adding 128 to the other factor adds to a sum
  std::vector<float> scales, inverses;
  std::vector<float> lengths, lost;  // ‖x‖ and ‖x − x̂‖
  bool finite = true;
};

template <typename T>
CoarseRows coarse_rows(const T *x, int64_t rows, int64_t size) {
  int64_t depth = padded(size), room = (rows + lines - 1) / lines * lines;
  CoarseRows result;
  result.numbers.resize(room * depth);
  for (auto *figures : {&result.excess, &result.scales, &result.inverses, &result.lengths, &result.lost})
    figures->resize(room);
  std::atomic<bool> finite = true;
  parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int8_t *numbers = result.numbers.data() + row * depth;
      Rounded bounds;
      round_row(bounds, numbers, x + row * size, size);
      if (std::isnan(bounds.scale)) finite = false;
      result.excess[row] = static_cast<float>(128 * std::accumulate(numbers, numbers + size, int32_t{0}));
      result.scales[row] = bounds.scale;
      result.inverses[row] = 1 / bounds.scale;
      result.lost[row] = bounds.lost + error_of_sums(size) * bounds.length;
      result.lengths[row] = bounds.length + bounds.lost;
    }
  });
  result.finite = finite;
  return result;
}

// The part of the next block of weights that is asked for while a group of vectors is multiplied with this one: so many
// bytes for each step of the depth, from a place within the step's.
struct Fetch {
  const uint8_t *block;
  int64_t begin, end;

  INLINE void operator()(int64_t depth) const {
    for (int64_t i = begin; i < end; i += 64) __builtin_prefetch(block + depth * lines + i);
  }
};

// Sums of products of up to 32 vectors with a block, [32][32]: in tiles of 16 × 16.
template <bool second>
TILED INLINE void sum_in_tiles(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t depth, Fetch fetch) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < depth; i += step) {
    fetch(i);
    _tile_loadd(4, x + i, depth);
    _tile_loadd(6, w + i * half, step);
    _tile_loadd(7, w + (depth + i) * half, step);
    if (second) _tile_loadd(5, x + half * depth + i, depth);
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    if (second) _tile_dpbsud(2, 5, 6);
    if (second) _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums, lines * 4);
  _tile_stored(1, sums + half, lines * 4);
  if (second) _tile_stored(2, sums + half * lines, lines * 4);
  if (second) _tile_stored(3, sums + half * lines + half, lines * 4);
}

TILED void multiply_tiles(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth, Fetch fetch) {
  if (rows > half)
    sum_in_tiles<true>(sums, x, w, depth, fetch);
  else
    sum_in_tiles<false>(sums, x, w, depth, fetch);
}

// The same with vectors: `count` rows at a time share what is read of the block.
template <int count>
VNNI INLINE void multiply_rows(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t depth) {
  const uint8_t *w1 = w + half * depth;
  __m512i left[count], right[count];
  for (int row = 0; row < count; ++row) left[row] = right[row] = _mm512_setzero_si512();
  for (int64_t i = 0; i < depth; i += 4) {
    __m512i a = _mm512_loadu_si512(w + i * half), b = _mm512_loadu_si512(w1 + i * half);
    for (int row = 0; row < count; ++row) {
      int32_t four;
      std::memcpy(&four, x + row * depth + i, 4);
      left[row] = _mm512_dpbusd_epi32(left[row], a, _mm512_set1_epi32(four));
      right[row] = _mm512_dpbusd_epi32(right[row], b, _mm512_set1_epi32(four));
    }
  }
  for (int row = 0; row < count; ++row) {
    _mm512_storeu_si512(sums + row * lines, left[row]);
    _mm512_storeu_si512(sums + row * lines + half, right[row]);
  }
}

VNNI void multiply_vectors(int32_t *sums, const int8_t *x, const uint8_t *w, int64_t rows, int64_t depth, Fetch fetch) {
  for (int64_t i = 0; i < depth; i += step) fetch(i);
  int64_t row = 0;
  for (; row + 8 <= rows; row += 8) multiply_rows<8>(sums + row * lines, x + row * depth, w, depth);
  for (; row + 4 <= rows; row += 4) multiply_rows<4>(sums + row * lines, x + row * depth, w, depth);
  for (; row < rows; ++row) multiply_rows<1>(sums + row * lines, x + row * depth, w, depth);
}

// Compares the sums of up to 32 vectors, from the `first` on, with what these must reach.
VNNI void compare(const int32_t *sums, const BlockBounds &block, int64_t index, int64_t count, int64_t first,
                  int64_t rows, const CoarseRows &x, float *least, Search &search) {
  // Divided by the vectors' scales, which the sums are not multiplied with yet.
  alignas(64) float errors[lines], needed[lines];
  for (int64_t row = 0; row < rows; row += half) {
    __m512 error = _mm512_mul_ps(_mm512_set1_ps(block.lost), _mm512_loadu_ps(&x.lengths[first + row]));
    error = _mm512_fmadd_ps(_mm512_set1_ps(block.length), _mm512_loadu_ps(&x.lost[first + row]), error);
    __m512 reach = _mm512_sub_ps(_mm512_loadu_ps(least + first + row), error);
    _mm512_store_ps(errors + row, error);
    _mm512_store_ps(needed + row, _mm512_mul_ps(reach, _mm512_loadu_ps(&x.inverses[first + row])));
  }
  __m512 left = _mm512_loadu_ps(block.scales), right = _mm512_loadu_ps(block.scales + half);
  uint32_t there = static_cast<uint32_t>((uint64_t{1} << count) - 1);
  for (int64_t row = 0; row < rows; ++row, sums += lines) {
    __m512 excess = _mm512_set1_ps(x.excess[first + row]), reach = _mm512_set1_ps(needed[row]);
    __m512 a = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums)), excess), left);
    __m512 b = _mm512_mul_ps(_mm512_sub_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums + half)), excess), right);
    uint32_t found = _mm512_cmp_ps_mask(a, reach, _CMP_GE_OQ) |
                     static_cast<uint32_t>(_mm512_cmp_ps_mask(b, reach, _CMP_GE_OQ)) << half;
    if (!(found &= there)) continue;
    float scale = x.scales[first + row];
    alignas(64) float values[lines];
    _mm512_store_ps(values, _mm512_mul_ps(a, _mm512_set1_ps(scale)));
    _mm512_store_ps(values + half, _mm512_mul_ps(b, _mm512_set1_ps(scale)));
    for (; found; found &= found - 1) {
      int64_t i = __builtin_ctz(found);
      search.consider(first + row, index + i, values[i], errors[row], least[first + row]);
    }
  }
}

using Multiply = void (*)(int32_t *, const int8_t *, const uint8_t *, int64_t, int64_t, Fetch);

void search_blocks(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary, int64_t begin,
                   int64_t end, const CoarseRows &x, int64_t rows, int64_t depth, Multiply multiply) {
  // Finite, so that what is computed of it is; padded to whole groups.
  std::vector<float> least(x.scales.size(), std::numeric_limits<float>::lowest() / 2);
  alignas(64) int32_t sums[lines * lines];
  int64_t groups = (rows + lines - 1) / lines, share = (lines * step / 64 + groups - 1) / groups * 64;
  for (int64_t block = begin; block < end; ++block) {
    const uint8_t *w = weight + block * lines * depth;
    int64_t index = block * lines, count = std::min<int64_t>(lines, vocabulary - index);
    for (int64_t first = 0; first < rows; first += lines) {
      int64_t group = std::min<int64_t>(lines, rows - first);
      Fetch fetch{w + lines * depth, first / lines * share, std::min((first / lines + 1) * share, lines * step)};
      multiply(sums, x.numbers.data() + first * depth, w, group, depth, fetch);
      compare(sums, bounds[block], index, count, first, group, x, least.data(), search);
    }
  }
}

TILED void search_in_tiles(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary,
                           int64_t begin, int64_t end, const CoarseRows &x, int64_t rows, int64_t depth) {
  TileScope scope;
  search_blocks(search, weight, bounds, vocabulary, begin, end, x, rows, depth, multiply_tiles);
}

template <typename T>
std::vector<Search> search_all(const ct_coarse_weight &weight, const T *x, int64_t rows, int64_t size,
                               int64_t vocabulary) {
  int64_t blocks = (vocabulary + lines - 1) / lines;
  CoarseRows coarse = coarse_rows(x, rows, size);
  if (!coarse.finite) return {};
  int64_t parts = std::min<int64_t>(blocks, at::get_num_threads());
  std::vector<Search> searches(parts, Search(rows));
  const auto *bounds = reinterpret_cast<const BlockBounds *>(data<float>(weight.bounds->value));
  const uint8_t *numbers = data<uint8_t>(weight.numbers->value);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      int64_t first = blocks * part / parts, last = blocks * (part + 1) / parts;
      if (has_tiles())
        search_in_tiles(searches[part], numbers, bounds, vocabulary, first, last, coarse, rows, padded(size));
      else
        search_blocks(searches[part], numbers, bounds, vocabulary, first, last, coarse, rows, padded(size),
                      multiply_vectors);
    }
  });
  size_t left = 0;
  for (const Search &search : searches) left += search.candidates.size();
  if (left > static_cast<size_t>(1024 * (rows + 16))) return {};
  return searches;
}

// Four numbers of eight bits travel as two of sixteen.
TILED void pack_half(uint8_t *packed, const int8_t *rounded, int64_t depth) {
  pack_rows(reinterpret_cast<bf16 *>(packed), reinterpret_cast<const bf16 *>(rounded), half, depth / 2);
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(128));
  for (int64_t i = 0; i < half * depth; i += 64)
    _mm512_storeu_si512(packed + i, _mm512_add_epi8(_mm512_loadu_si512(packed + i), offset));
}

template <typename T>
bool round_block(uint8_t *numbers, BlockBounds &bounds, const T *weight, int64_t count, int64_t size) {
  int64_t depth = padded(size);
  std::vector<int8_t> rounded(lines * depth);
  bounds = {};
  for (int64_t line = 0; line < count; ++line) {
    Rounded row;
    round_row(row, rounded.data() + line * depth, weight + line * size, size);
    if (std::isnan(row.scale)) return false;
    bounds.scales[line] = row.scale;
    bounds.lost = std::max(bounds.lost, row.lost);
    bounds.length = std::max(bounds.length, row.length);
  }
  pack_half(numbers, rounded.data(), depth);
  pack_half(numbers + half * depth, rounded.data() + half * depth, depth);
  return true;
}

}  // namespace

namespace ctorch {

std::vector<Search> search_coarsely(const ct_coarse_weight &weight, const float *x, int64_t rows, int64_t size,
                                    int64_t vocabulary) {
  return search_all(weight, x, rows, size, vocabulary);
}
std::vector<Search> search_coarsely(const ct_coarse_weight &weight, const bf16 *x, int64_t rows, int64_t size,
                                    int64_t vocabulary) {
  return search_all(weight, x, rows, size, vocabulary);
}

}  // namespace ctorch

int ct_coarse_weight_new(ct_coarse_weight *out, ct_tensor weight) {
  return guard([&] {
    *out = {nullptr, nullptr};
    at::Tensor w = weight->value;
    if (!(has_tiles() || has_vnni()) || !served(w) || w.dim() != 2 || w.numel() == 0) return;
    w = w.contiguous();
    int64_t vocabulary = w.size(0), size = w.size(1), depth = padded(size), blocks = (vocabulary + lines - 1) / lines;
    at::Tensor numbers = at::empty({blocks * lines * depth}, w.options().dtype(at::kByte));
    at::Tensor bounds = at::empty({blocks, bounds_size}, w.options().dtype(at::kFloat));
    std::atomic<bool> finite = true;
    parallel_for(blocks, 16, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end && finite; ++block) {
        uint8_t *place = data<uint8_t>(numbers) + block * lines * depth;
        auto &bound = reinterpret_cast<BlockBounds *>(data<float>(bounds))[block];
        with_element(w, [&](auto *type) {
          using T = std::remove_pointer_t<decltype(type)>;
          if (!round_block(place, bound, data<T>(w) + block * lines * size,
                           std::min<int64_t>(lines, vocabulary - block * lines), size))
            finite = false;
        });
      }
    });
    if (finite) *out = {own(numbers), own(bounds)};
  });
}

#else

namespace ctorch {

std::vector<Search> search_coarsely(const ct_coarse_weight &, const float *, int64_t, int64_t, int64_t) { return {}; }
std::vector<Search> search_coarsely(const ct_coarse_weight &, const bf16 *, int64_t, int64_t, int64_t) { return {}; }

}  // namespace ctorch

int ct_coarse_weight_new(ct_coarse_weight *out, ct_tensor) {
  *out = {nullptr, nullptr};
  return 0;
}

#endif
