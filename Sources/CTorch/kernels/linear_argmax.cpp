// The index of the largest entry in each row of hidden·weightᵀ, exactly: as if the product were computed without
// rounding.
//
// A first pass finds each entry within a proven bound, and keeps those that may be the largest; where several are left,
// each is computed again in double precision. So the answer depends neither on the precision of the first pass, which
// is eight bits where the weight was made ready for that (coarse_weight.cpp), else bfloat16 on processors with tiles of
// it (AMX: 16 × 16 entries at once, 16,384 products and sums an instruction), nor on blocks, threads or what other rows
// there are. No logits are stored: a tile of them is compared where it lies.
//
// The bound. A first pass takes ŵ and x̂ for w and x and sums D products in float32:
//   |ŵ·x̂ − w·x| ≤ ‖w − ŵ‖‖x‖ + ‖ŵ‖‖x − x̂‖ + D·2⁻²³‖ŵ‖‖x̂‖ ≤ e·‖w‖‖x‖
// with Cauchy's inequality and ‖w − ŵ‖ ≤ 2⁻⁹‖w‖ where float32 is rounded to bfloat16.

#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include "../support.h"
#include "argmax_search.h"
#include "coarse_weight.h"
#include "parallel.h"
#include "tiles.h"
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

VECTORIZED double exact_dot(const float *a, const float *b, int64_t size) { return exact_product(a, b, size); }
VECTORIZED double exact_dot(const bf16 *a, const bf16 *b, int64_t size) { return exact_product(a, b, size); }

template <typename T>
INLINE float length(const T *x, int64_t size) {
  ANY_ORDER
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(load(x[i])) * static_cast<double>(load(x[i]));
  return static_cast<float>(std::sqrt(sum));
}

VECTORIZED float length_of(const float *x, int64_t size) { return length(x, size); }
VECTORIZED float length_of(const bf16 *x, int64_t size) { return length(x, size); }

// With the errors of the two roundings of float32 to bfloat16.
float relative_error(int64_t size, bool rounded) { return (rounded ? 4.2e-3f : 0.0f) + error_of_sums(size); }

template <typename T>
void resolve(int64_t *result, std::vector<Search> &searches, const T *x, const T *weight, int64_t rows, int64_t size) {
  std::vector<float> least(rows, -std::numeric_limits<float>::infinity());
  for (const Search &search : searches)
    for (int64_t row = 0; row < rows; ++row) least[row] = std::max(least[row], search.least[row]);
  std::vector<std::vector<int64_t>> left(rows);
  for (const Search &search : searches)
    for (const Candidate &candidate : search.candidates)
      if (candidate.upper >= least[candidate.row]) left[candidate.row].push_back(candidate.index);
  parallel_for(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t best = left[row].empty() ? 0 : left[row][0];
      if (left[row].size() > 1) {
        double top = -std::numeric_limits<double>::infinity();
        for (int64_t index : left[row]) {
          double value = exact_dot(x + row * size, weight + index * size, size);
          if (value > top || (value == top && index < best)) top = value, best = index;
        }
      }
      result[row] = best;
    }
  });
}

VECTORIZED float largest_of(const float *row, int64_t size) { return largest(row, size); }
VECTORIZED float largest_of(const bf16 *row, int64_t size) { return largest(row, size); }

// The first pass by libtorch's products, whose entries are rounded to the elements' type.
template <typename T>
Search search_plainly(const at::Tensor &hidden, const at::Tensor &weight) {
  int64_t rows = hidden.size(0), size = hidden.size(1), vocabulary = weight.size(0);
  std::vector<float> lengths(vocabulary);
  parallel_for(vocabulary, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) lengths[i] = length_of(data<T>(weight) + i * size, size);
  });
  float longest = vocabulary > 0 ? *std::max_element(lengths.begin(), lengths.end()) : 0;
  // Rows whose logits take some four megabytes: in cache, and enough for an efficient product.
  int64_t block = std::clamp<int64_t>((1 << 20) / std::max<int64_t>(1, vocabulary), 32, 4096);
  float relative = relative_error(size, std::is_same_v<T, bf16>);
  std::vector<std::vector<int64_t>> found(rows);
  for (int64_t begin = 0; begin < rows; begin += block) {
    int64_t count = std::min(block, rows - begin);
    at::Tensor logits = at::mm(hidden.narrow(0, begin, count), weight.t());
    parallel_for(count, 4, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const T *line = data<T>(logits) + row * vocabulary;
        float error = relative * longest * length_of(data<T>(hidden) + (begin + row) * size, size);
        float least = largest_of(line, vocabulary) - 2 * (error > 0 ? error + tiny : 0);
        for (int64_t i = 0; i < vocabulary; ++i) {
          if (load(line[i]) < least || std::isnan(load(line[i]))) continue;
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

#ifdef CTORCH_TILES

INLINE void round_all(bf16 *y, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], x[i]);
}
VECTORIZED void rounded(bf16 *y, const float *x, int64_t count) { round_all(y, x, count); }
void rounded(bf16 *y, const bf16 *x, int64_t count) { std::memcpy(static_cast<void *>(y), x, count * sizeof(bf16)); }

TILED void pack_group(bf16 *packed, const bf16 *x, int64_t rows, int64_t size) { pack_rows(packed, x, rows, size); }

// The rows of x in groups, as `pack_rows` has them.
template <typename T>
std::vector<bf16> packed(const T *x, int64_t rows, int64_t size, int64_t groups) {
  std::vector<bf16> result(groups * tile_rows * size);
  parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<bf16> copy(tile_rows * size);
    for (int64_t group = begin; group < end; ++group) {
      int64_t count = std::clamp<int64_t>(rows - group * tile_rows, 0, tile_rows);
      rounded(copy.data(), x + group * tile_rows * size, count * size);
      pack_group(result.data() + group * tile_rows * size, copy.data(), count, size);
    }
  });
  return result;
}

// Compares the entries of two times two tiles, [32 of the vocabulary][32 rows], with what is known of the rows.
// Bounds are padded to whole groups: a row that is not there has an infinite `least`.
TILED void compare(const float (*tiles)[tile_rows * tile_rows], const float *errors, int64_t index, int64_t count,
                   int64_t group, const float *lengths, float *least, Search &search, int64_t rows) {
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t part = 0; part < 2; ++part) {
      const float *tile = tiles[half * 2 + part];
      int64_t lines = std::min<int64_t>(tile_rows, count - half * tile_rows), first = (group + part) * tile_rows;
      if (lines <= 0) continue;
      __m512 bound = _mm512_loadu_ps(least + first), scale = _mm512_loadu_ps(lengths + first);
      for (int64_t line = 0; line < lines; ++line) {
        int64_t place = half * tile_rows + line;
        __m512 upper = _mm512_fmadd_ps(_mm512_set1_ps(errors[place]), scale, _mm512_load_ps(tile + line * tile_rows));
        __mmask16 mask = _mm512_cmp_ps_mask(upper, bound, _CMP_GE_OQ);
        if (!mask) continue;
        for (unsigned bits = mask; bits; bits &= bits - 1) {
          int64_t row = first + __builtin_ctz(bits);
          if (row >= rows) continue;
          float error = errors[place] * lengths[row];
          search.consider(row, index + place, tile[line * tile_rows + row - first], error, least[row]);
        }
        bound = _mm512_loadu_ps(least + first);
      }
    }
}

template <typename T>
TILED void search_blocks(Search &search, const T *weight, int64_t vocabulary, int64_t first, int64_t last,
                         const bf16 *x, const float *lengths, int64_t rows, int64_t groups, int64_t size) {
  constexpr int64_t lines = 2 * tile_rows;
  std::vector<float> least(groups * tile_rows, std::numeric_limits<float>::infinity());
  std::fill(least.begin(), least.begin() + rows, -std::numeric_limits<float>::infinity());
  std::vector<bf16> copy(lines * size, bf16{0});
  alignas(64) float tiles[4][tile_rows * tile_rows];
  float errors[lines], relative = relative_error(size, std::is_same_v<T, float>);
  TileScope scope;
  for (int64_t block = first; block < last; ++block) {
    int64_t index = block * lines, count = std::min<int64_t>(lines, vocabulary - index);
    const T *source = weight + index * size;
    const bf16 *w = reinterpret_cast<const bf16 *>(source);
    if (std::is_same_v<T, float> || count < lines) {
      rounded(copy.data(), source, count * size);
      w = copy.data();
    }
    for (int64_t line = 0; line < count; ++line) errors[line] = relative * length_of(source + line * size, size);
    for (int64_t group = 0; group < groups; group += 2) {
      multiply_tiles(tiles, w, size, x + group * tile_rows * size, size);
      compare(tiles, errors, index, count, group, lengths, least.data(), search, rows);
    }
  }
}

template <typename T>
std::vector<Search> search_tiles(const T *x, const T *weight, int64_t rows, int64_t size, int64_t vocabulary) {
  int64_t groups = (rows + 2 * tile_rows - 1) / (2 * tile_rows) * 2;
  std::vector<bf16> second = packed(x, rows, size, groups);
  std::vector<float> lengths(groups * tile_rows, 0);
  for (int64_t row = 0; row < rows; ++row) lengths[row] = length_of(x + row * size, size);
  int64_t blocks = (vocabulary + 2 * tile_rows - 1) / (2 * tile_rows);
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
#ifdef CTORCH_TILES
  if (hidden.size(1) % tile_depth == 0 && has_tiles())
    return search_tiles(data<T>(hidden), data<T>(weight), hidden.size(0), hidden.size(1), weight.size(0));
#endif
  return {search_plainly<T>(hidden, weight)};
}

}  // namespace

int ct_linear_argmax(ct_tensor *out, ct_tensor hidden, ct_tensor weight, const ct_coarse_weight *coarse) {
  return make(out, [&] {
    at::NoGradGuard without_gradients;
    TORCH_CHECK(hidden->value.dim() == 2 && weight->value.dim() == 2 && hidden->value.size(1) == weight->value.size(1),
                "projection of ", hidden->value.sizes(), " by a weight of ", weight->value.sizes());
    at::Tensor h = hidden->value.contiguous(), w = weight->value.contiguous();
    int64_t rows = h.size(0), size = h.size(1), vocabulary = w.size(0);
    at::Tensor result = at::zeros({rows}, h.options().dtype(at::kLong));
    if (!served(h) || h.scalar_type() != w.scalar_type()) {
      int64_t block = std::clamp<int64_t>((1 << 26) / std::max<int64_t>(1, vocabulary), 32, 4096);
      for (int64_t begin = 0; begin < rows; begin += block) {
        int64_t count = std::min(block, rows - begin);
        result.narrow(0, begin, count).copy_(at::mm(h.narrow(0, begin, count), w.t()).argmax(1));
      }
      return result;
    }
    if (rows == 0 || vocabulary == 0) return result;
    with_element(h, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::vector<Search> searches;
      if (coarse) searches = search_coarsely(*coarse, data<T>(h), rows, size, vocabulary);
      if (searches.empty()) searches = search<T>(h, w);
      resolve(data<int64_t>(result), searches, data<T>(h), data<T>(w), rows, size);
    });
    return result;
  });
}
