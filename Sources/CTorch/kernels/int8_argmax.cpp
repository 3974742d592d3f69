// The first pass of an argmax in int8: it bounds all products of vectors and a quantized matrix (int8_weight.cpp), and
// keeps those that may be the largest.

#include "int8_argmax.h"

#include <atomic>
#include <numeric>

#include "../support.h"
#include "int8_products.h"
#include "parallel.h"

using namespace ctorch;

namespace {

// Quantized vectors, padded with zeros to whole groups.
struct Int8Rows {
  std::vector<int8_t> numbers;  // [rows][depth]
  std::vector<float> offsets;   // the share of the sums that is due to the offset of the weights
  std::vector<float> scales, inverses;
  std::vector<float> lengths, lost;  // ‖x‖ and ‖x − x̂‖
  bool finite = true;
};

template <typename T>
Int8Rows quantize_rows(const T *x, int64_t rows, int64_t size, int limit, int offset) {
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
      vectorized<quantize<T>>(bounds, numbers, x + row * size, size, limit);
      if (std::isnan(bounds.scale)) finite = false;
      result.offsets[row] = static_cast<float>(offset * std::accumulate(numbers, numbers + size, int32_t{0}));
      result.scales[row] = bounds.scale;
      result.inverses[row] = 1 / bounds.scale;
      result.lost[row] = bounds.lost + error_of_sums(size) * bounds.length;
      result.lengths[row] = bounds.length + bounds.lost;
    }
  });
  result.finite = finite;
  return result;
}

// One number for each entry of a half block. Compilers split it into vectors that the processor has.
typedef float Floats __attribute__((vector_size(kHalfBlock * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(kHalfBlock * sizeof(int32_t))));

// The same in memory, where nothing aligns them.
typedef Floats LooseFloats __attribute__((aligned(4), may_alias));
typedef Ints LooseInts __attribute__((aligned(4), may_alias));
INLINE const LooseFloats &loose(const float *numbers) { return *reinterpret_cast<const LooseFloats *>(numbers); }
INLINE const LooseInts &loose(const int32_t *numbers) { return *reinterpret_cast<const LooseInts *>(numbers); }

// Compares the sums of up to 32 vectors, starting at `first`, with the lower bounds of their maxima.
INLINE void compare(const int32_t *sums, const BlockBounds &block, int64_t index, int64_t count, int64_t first,
                    int64_t rows, const Int8Rows &x, float *lower, Search &search) {
  constexpr int64_t halves = kBlockRows / kHalfBlock;
  // The thresholds are divided by the scales of the vectors, because the sums are not multiplied by them yet.
  Floats errors[halves], thresholds[halves], scales[halves];
  for (int64_t half = 0; half < halves; ++half) {
    int64_t row = first + half * kHalfBlock;
    errors[half] = block.length * loose(&x.lost[row]) + block.lost * loose(&x.lengths[row]);
    thresholds[half] = (loose(lower + row) - errors[half]) * loose(&x.inverses[row]);
    scales[half] = loose(block.scales + half * kHalfBlock);
  }
  for (int64_t row = 0; row < rows; ++row, sums += kBlockRows) {
    float offset = x.offsets[first + row], needed = thresholds[row / kHalfBlock][row % kHalfBlock];
    Floats values[halves];
    Ints found{};
    for (int64_t half = 0; half < halves; ++half) {
      values[half] = (__builtin_convertvector(loose(sums + half * kHalfBlock), Floats) - offset) * scales[half];
      found |= values[half] >= needed;
    }
    if (!__builtin_reduce_or(found)) continue;
    float error = errors[row / kHalfBlock][row % kHalfBlock];
    for (int64_t i = 0; i < count; ++i) {
      float value = values[i / kHalfBlock][i % kHalfBlock];
      if (value >= needed)
        search.consider(first + row, index + i, value * x.scales[first + row], error, lower[first + row]);
    }
  }
}

using Multiply = void (*)(int32_t *, const int8_t *, const uint8_t *, int64_t, int64_t, Prefetch);

void search_blocks(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary, int64_t begin,
                   int64_t end, const Int8Rows &x, int64_t rows, int64_t depth, Multiply multiply) {
  // Finite, so that numbers computed from the bounds are finite; padded to whole groups.
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
      vectorized<compare>(sums, bounds[block], index, count, first, group, x, lower.data(), search);
    }
  }
}

#ifdef CTORCH_AMX
TILED void search_in_tiles(Search &search, const uint8_t *weight, const BlockBounds *bounds, int64_t vocabulary,
                           int64_t begin, int64_t end, const Int8Rows &x, int64_t rows, int64_t depth,
                           Multiply multiply) {
  TileScope scope;
  search_blocks(search, weight, bounds, vocabulary, begin, end, x, rows, depth, multiply);
}
#endif

// How this processor searches, and the properties of its products.
struct Form {
  decltype(&search_blocks) search;
  Multiply multiply;
  int limit, offset;
  int64_t most_rows = std::numeric_limits<int64_t>::max();
};

Form form() {
#ifdef CTORCH_AMX
  if (has_amx_tiles()) return {search_in_tiles, multiply_tiles, VNNIProducts::kLimit, VNNIProducts::kOffset};
#endif
#ifdef __x86_64__
  if (has_vnni()) return {search_blocks, multiply_vnni, VNNIProducts::kLimit, VNNIProducts::kOffset};
  if (cpu_level() >= CPULevel::avx2) return {search_blocks, multiply_avx2, AVX2Products::kLimit, AVX2Products::kOffset};
#endif
  // Without such instructions only the smaller matrix makes the first pass fast, which matters for a few rows.
  return {search_blocks, multiply_plainly, PlainProducts::kLimit, PlainProducts::kOffset, PlainProducts::kMostRows};
}

}  // namespace

namespace ctorch {

template <typename T>
std::vector<Search> search_int8(const ct_int8_weight &weight, const T *x, int64_t rows, int64_t size,
                                int64_t vocabulary) {
  const Form form = ::form();
  if (rows > form.most_rows) return {};
  Int8Rows quantized = quantize_rows(x, rows, size, form.limit, form.offset);
  if (!quantized.finite) return {};
  int64_t blocks = (vocabulary + kBlockRows - 1) / kBlockRows, parts = std::min<int64_t>(blocks, at::get_num_threads());
  std::vector<Search> searches(parts, Search(rows));
  const auto *bounds = reinterpret_cast<const BlockBounds *>(data<float>(weight.bounds->value));
  const uint8_t *numbers = data<uint8_t>(weight.numbers->value);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      form.search(searches[part], numbers, bounds, vocabulary, blocks * part / parts, blocks * (part + 1) / parts,
                  quantized, rows, padded_depth(size), form.multiply);
  });
  size_t left = 0;
  for (const Search &search : searches) left += search.candidates.size();
  // A product of the second pass takes as long as about sixteen of a plain first pass.
  if (left > static_cast<size_t>(std::max<int64_t>(1024, vocabulary / 16) * (rows + 16))) return {};
  return searches;
}

template std::vector<Search> search_int8(const ct_int8_weight &, const float *, int64_t, int64_t, int64_t);
template std::vector<Search> search_int8(const ct_int8_weight &, const bf16 *, int64_t, int64_t, int64_t);

}  // namespace ctorch
