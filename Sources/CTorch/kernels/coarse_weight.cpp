// A matrix of weights in eight bits, for the first pass of an argmax over it.
//
// Each row is rounded to whole numbers of -127…127 times a scale of its own, and so is each vector that it is multiplied
// with. Tiles of such numbers (AMX) take twice as many products an instruction as tiles of bfloat16, and the matrix half
// the memory, which is what reading it for a few rows costs. Their sums are exact; what was lost in rounding is known:
//
//   |ŵ·x̂ − w·x| ≤ ‖w − ŵ‖‖x‖ + ‖ŵ‖‖x − x̂‖
//
// with Cauchy's inequality. Of random vectors that leaves a few tens of 100,000 entries for the second pass.

#include "coarse_weight.h"

#include <ATen/ops/empty.h>

#include <atomic>

#include "../support.h"
#include "parallel.h"
#include "tiles.h"

using namespace ctorch;

#ifdef CTORCH_TILES

namespace {

// A block of weights is two tiles high; its rows lie [depth / 64][2][16][64].
constexpr int64_t lines = 2 * tile_rows, step = 64;
constexpr int64_t tile_bytes = tile_rows * step;

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

// x → y · scale, for `size` numbers. The norms are rounded up.
template <typename T>
INLINE void round_numbers(Rounded &result, int8_t *y, const T *x, int64_t size) {
  ANY_ORDER
  float top = 0, finite = 0;
  for (int64_t i = 0; i < size; ++i) {
    float value = std::fabs(load(x[i]));
    top = value > top ? value : top;
    finite += value * 0;
  }
  if (finite != 0 || top >= 3e38f) {
    result.scale = std::numeric_limits<float>::quiet_NaN();
    return;
  }
  // Where 127 / top would be no number any more, all are taken for zero, and lost.
  float inverse = top > 1e-30f ? 127 / top : 0, lost = 0, length = 0;
  result.scale = top > 1e-30f ? top / 127 : 1;
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

// Rows of x rounded, in groups of sixteen as tiles want the second factor; bounds are padded to whole groups.
struct CoarseRows {
  std::vector<int8_t> packed;
  std::vector<float> scales, lengths, lost;  // ‖x‖ and ‖x − x̂‖
  bool finite = true;
};

TILED void pack_group(int8_t *packed, const int8_t *x, int64_t rows, int64_t depth) {
  // Four numbers of eight bits travel as two of sixteen.
  pack_rows(reinterpret_cast<bf16 *>(packed), reinterpret_cast<const bf16 *>(x), rows, depth / 2);
}

template <typename T>
CoarseRows coarse_rows(const T *x, int64_t rows, int64_t size, int64_t groups) {
  int64_t depth = padded(size);
  CoarseRows result;
  result.packed.resize(groups * tile_rows * depth);
  for (auto *numbers : {&result.scales, &result.lengths, &result.lost}) numbers->resize(groups * tile_rows, 0);
  std::atomic<bool> finite = true;
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<int8_t> rounded(tile_rows * depth);
    for (int64_t group = begin; group < end; ++group) {
      int64_t count = std::clamp<int64_t>(rows - group * tile_rows, 0, tile_rows);
      for (int64_t i = 0; i < count; ++i) {
        int64_t row = group * tile_rows + i;
        Rounded bounds;
        round_row(bounds, rounded.data() + i * depth, x + row * size, size);
        if (std::isnan(bounds.scale)) finite = false;
        result.scales[row] = bounds.scale;
        result.lost[row] = bounds.lost + error_of_sums(size) * bounds.length;
        result.lengths[row] = bounds.length + bounds.lost;
      }
      pack_group(result.packed.data() + group * tile_rows * depth, rounded.data(), count, depth);
    }
  });
  result.finite = finite;
  return result;
}

// [32 of the vocabulary] times [32 rows]: four tiles. With `fetches`, asks for the next block of weights.
template <bool fetches>
TILED INLINE void multiply(int32_t (*tiles)[tile_rows * tile_rows], const int8_t *w, const int8_t *x,
                                     int64_t depth) {
  const int8_t *x1 = x + tile_rows * depth;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < depth; i += step, w += 2 * tile_bytes) {
    if (fetches)
      for (int64_t line = 0; line < 2 * tile_bytes; line += 64) __builtin_prefetch(w + lines * depth + line);
    _tile_loadd(4, w, step);
    _tile_loadd(6, x + i * tile_rows, step);
    _tile_loadd(5, w + tile_bytes, step);
    _tile_loadd(7, x1 + i * tile_rows, step);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, tiles[0], step);
  _tile_stored(1, tiles[1], step);
  _tile_stored(2, tiles[2], step);
  _tile_stored(3, tiles[3], step);
}

// Compares the entries of two times two tiles with what the rows must reach.
TILED void compare(const int32_t (*tiles)[tile_rows * tile_rows], const BlockBounds &block, int64_t index,
                             int64_t count, int64_t group, const CoarseRows &x, float *least, Search &search) {
  for (int64_t part = 0; part < 2; ++part) {
    int64_t first = (group + part) * tile_rows;
    __m512 scale = _mm512_loadu_ps(x.scales.data() + first);
    __m512 error = _mm512_mul_ps(_mm512_set1_ps(block.lost), _mm512_loadu_ps(x.lengths.data() + first));
    error = _mm512_fmadd_ps(_mm512_set1_ps(block.length), _mm512_loadu_ps(x.lost.data() + first), error);
    for (int64_t half = 0; half < 2; ++half) {
      const int32_t *tile = tiles[half * 2 + part];
      __m512 needed = _mm512_sub_ps(_mm512_loadu_ps(least + first), error);
      for (int64_t line = 0; line < std::min<int64_t>(tile_rows, count - half * tile_rows); ++line) {
        int64_t place = half * tile_rows + line;
        __m512 whole = _mm512_cvtepi32_ps(_mm512_load_si512(tile + line * tile_rows));
        __m512 value = _mm512_mul_ps(whole, _mm512_mul_ps(scale, _mm512_set1_ps(block.scales[place])));
        __mmask16 mask = _mm512_cmp_ps_mask(value, needed, _CMP_GE_OQ);
        if (!mask) continue;
        alignas(64) float values[tile_rows], errors[tile_rows];
        _mm512_store_ps(values, value);
        _mm512_store_ps(errors, error);
        for (unsigned bits = mask; bits; bits &= bits - 1) {
          int64_t i = __builtin_ctz(bits);
          search.consider(first + i, index + place, values[i], errors[i], least[first + i]);
        }
        needed = _mm512_sub_ps(_mm512_loadu_ps(least + first), error);
      }
    }
  }
}

TILED void search_blocks(Search &search, const int8_t *weight, const BlockBounds *bounds, int64_t vocabulary,
                                   int64_t first, int64_t last, const CoarseRows &x, int64_t rows, int64_t groups,
                                   int64_t depth) {
  // A row that is not there is never reached.
  std::vector<float> least(groups * tile_rows, std::numeric_limits<float>::infinity());
  std::fill(least.begin(), least.begin() + rows, -std::numeric_limits<float>::infinity());
  alignas(64) int32_t tiles[4][tile_rows * tile_rows];
  TileScope scope;
  for (int64_t block = first; block < last; ++block) {
    const int8_t *w = weight + block * lines * depth;
    int64_t index = block * lines, count = std::min<int64_t>(lines, vocabulary - index);
    for (int64_t group = 0; group < groups; group += 2) {
      const int8_t *rows_of_group = x.packed.data() + group * tile_rows * depth;
      if (group == 0)
        multiply<true>(tiles, w, rows_of_group, depth);
      else
        multiply<false>(tiles, w, rows_of_group, depth);
      compare(tiles, bounds[block], index, count, group, x, least.data(), search);
    }
  }
}

template <typename T>
std::vector<Search> search_all(const ct_coarse_weight &weight, const T *x, int64_t rows, int64_t size,
                               int64_t vocabulary) {
  int64_t groups = (rows + lines - 1) / lines * 2, blocks = (vocabulary + lines - 1) / lines;
  CoarseRows coarse = coarse_rows(x, rows, size, groups);
  if (!coarse.finite) return {};
  int64_t parts = std::min<int64_t>(blocks, at::get_num_threads());
  std::vector<Search> searches(parts, Search(rows));
  const auto *bounds = reinterpret_cast<const BlockBounds *>(data<float>(weight.bounds->value));
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      search_blocks(searches[part], data<int8_t>(weight.numbers->value), bounds, vocabulary, blocks * part / parts,
                    blocks * (part + 1) / parts, coarse, rows, groups, padded(size));
  });
  size_t left = 0;
  for (const Search &search : searches) left += search.candidates.size();
  if (left > static_cast<size_t>(1024 * (rows + 16))) return {};
  return searches;
}

template <typename T>
bool round_block(int8_t *numbers, BlockBounds &bounds, const T *weight, int64_t count, int64_t size) {
  int64_t depth = padded(size);
  std::vector<int8_t> row(depth);
  for (int64_t line = 0; line < count; ++line) {
    Rounded rounded;
    round_row(rounded, row.data(), weight + line * size, size);
    if (std::isnan(rounded.scale)) return false;
    bounds.scales[line] = rounded.scale;
    bounds.lost = std::max(bounds.lost, rounded.lost);
    bounds.length = std::max(bounds.length, rounded.length);
    int8_t *place = numbers + line / tile_rows * tile_bytes + line % tile_rows * step;
    for (int64_t i = 0; i < depth; i += step) std::copy_n(row.data() + i, step, place + i * lines);
  }
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
    if (!has_tiles() || !served(w) || w.dim() != 2 || w.numel() == 0) return;
    w = w.contiguous();
    int64_t vocabulary = w.size(0), size = w.size(1), depth = padded(size), blocks = (vocabulary + lines - 1) / lines;
    at::Tensor numbers = at::empty({blocks * lines * depth}, w.options().dtype(at::kChar));
    at::Tensor bounds = at::empty({blocks, bounds_size}, w.options().dtype(at::kFloat));
    std::atomic<bool> finite = true;
    parallel_for(blocks, 16, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end && finite; ++block) {
        int8_t *place = data<int8_t>(numbers) + block * lines * depth;
        auto &bound = reinterpret_cast<BlockBounds *>(data<float>(bounds))[block];
        std::fill_n(place, lines * depth, int8_t{0});
        bound = {};
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
