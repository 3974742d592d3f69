#include "skinny_gemm.h"

#include <ATen/ops/empty.h>

#include <bit>
#include <memory>
#include <type_traits>
#include <utility>

#include "../support.h"
#include "parallel.h"
#include "row_arithmetic.h"
#include "vector_numbers.h"

namespace ctorch {

namespace {

// The groups of `width` lanes of x, then those of y, each folded in half.
template <int width, size_t... lane, typename Vector>
INLINE auto folded(const Vector &x, const Vector &y, std::index_sequence<lane...>) {
  constexpr int half = width / 2;
  return __builtin_shufflevector(x, y, (lane / half * width + lane % half)...) +
         __builtin_shufflevector(x, y, (lane / half * width + lane % half + half)...);
}

// The sums of the lanes of each group of `width` lanes of some vectors, whose number is a power of two. The sum of a
// group does not depend on the others: lanes i and i + width / 2 are added first, then those of the halves, ….
template <int lanes, int width, int count>
INLINE void sum_groups(float *sums, Numbers<lanes> *vectors) {
  if constexpr (width == 1) {
    std::memcpy(sums, vectors, count * sizeof *vectors);
  } else if constexpr (count == 1) {
    Numbers<lanes / 2> half = folded<width>(vectors[0], vectors[0], std::make_index_sequence<lanes / 2>());
    sum_groups<lanes / 2, width / 2, 1>(sums, &half);
  } else {
    for (int i = 0; i < count / 2; ++i)
      vectors[i] = folded<width>(vectors[2 * i], vectors[2 * i + 1], std::make_index_sequence<lanes>());
    sum_groups<lanes, width / 2, count / 2>(sums, vectors);
  }
}

// The sum of all lanes of each vector.
template <int lanes, int count>
INLINE void sum_lanes(float *sums, Numbers<lanes> *vectors) {
  constexpr int together = std::bit_floor(static_cast<unsigned>(count));
  sum_groups<lanes, lanes, together>(sums, vectors);
  if constexpr (together < count) sum_lanes<lanes, count - together>(sums + together, vectors + together);
}

// MARK: x·weightᵀ

template <typename T>
INLINE float dot(const float *x, const T *weight, int64_t size) {
  float sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += x[i] * load(weight[i]);
  return sum;
}

// The sums of a few rows and outputs, each in the same order of its terms whatever the number of rows and outputs is.
template <int lanes, int rows, int outputs, bool prefetches, typename T>
INLINE void dots(float *y, int64_t y_stride, const float *x, int64_t size, const T *weight, int64_t weight_stride) {
  constexpr int64_t kLine = 64 / sizeof(T);
  Numbers<lanes> sums[rows][outputs] = {};
  int64_t whole = size / lanes * lanes;
#pragma clang loop unroll_count(2)
  for (int64_t i = 0; i < whole; i += lanes) {
    // Of the next outputs: hardware prefetchers stop at the end of each page, and without this they reach half of the
    // memory bandwidth.
    if (prefetches && i % kLine == 0)
      for (int output = 0; output < outputs; ++output)
        __builtin_prefetch(weight + outputs * weight_stride + i * outputs + output * kLine);
    Numbers<lanes> weights[outputs];
#pragma clang loop unroll(full)
    for (int output = 0; output < outputs; ++output)
      weights[output] = numbers<lanes>(weight + output * weight_stride + i);
#pragma clang loop unroll(full)
    for (int row = 0; row < rows; ++row) {
      Numbers<lanes> terms = numbers<lanes>(x + row * size + i);
#pragma clang loop unroll(full)
      for (int output = 0; output < outputs; ++output)
        sums[row][output] = multiply_add<lanes>(terms, weights[output], sums[row][output]);
    }
  }
  float totals[rows][outputs];
  sum_lanes<lanes, rows * outputs>(&totals[0][0], &sums[0][0]);
  for (int row = 0; row < rows; ++row)
    for (int output = 0; output < outputs; ++output)
      y[row * y_stride + output] =
          totals[row][output] + dot(x + row * size + whole, weight + output * weight_stride + whole, size - whole);
}

template <int lanes, int rows, bool prefetches, typename T>
INLINE void multiply_rows(float *y, int64_t y_stride, const float *x, int64_t size, const T *weight,
                          int64_t weight_stride, int64_t count) {
  // For the number of vector registers.
  constexpr int kOutputs = rows == 8 ? 3 : rows < 4 || lanes == 16 ? 4 : lanes == 8 ? 3 : 2;
  int64_t output = 0;
  for (; output + kOutputs <= count; output += kOutputs)
    dots<lanes, rows, kOutputs, prefetches>(y + output, y_stride, x, size, weight + output * weight_stride,
                                            weight_stride);
  for (; output < count; ++output)
    dots<lanes, rows, 1, prefetches>(y + output, y_stride, x, size, weight + output * weight_stride, weight_stride);
}

template <int lanes, bool prefetches, typename T>
INLINE int64_t multiply_next(int64_t left, float *y, int64_t y_stride, const float *x, int64_t size, const T *weight,
                             int64_t weight_stride, int64_t count) {
  if constexpr (lanes == 16)  // which has the registers
    if (left >= 8) return multiply_rows<lanes, 8, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 8;
  if (left >= 4) return multiply_rows<lanes, 4, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 4;
  if (left >= 2) return multiply_rows<lanes, 2, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 2;
  return multiply_rows<lanes, 1, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 1;
}

template <int lanes, typename T>
INLINE void multiply(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                     int64_t weight_stride, int64_t begin, int64_t end) {
  // The weights of a panel are read from memory for the first rows, and stay in a cache for the others.
  bool at_once = rows == 1 || rows == 2 || rows == 4 || (rows == 8 && lanes == 16);
  int64_t panel = at_once ? end - begin : std::max<int64_t>(12, (1 << 13) / size / 12 * 12);
  for (int64_t first = begin; first < end; first += panel) {
    int64_t count = std::min(panel, end - first);
    const T *w = weight + first * weight_stride;
    int64_t row = multiply_next<lanes, true>(rows, y + first, y_stride, x, size, w, weight_stride, count);
    while (row < rows)
      row += multiply_next<lanes, false>(rows - row, y + row * y_stride + first, y_stride, x + row * size, size, w,
                                         weight_stride, count);
  }
}

// MARK: x·matrix

// Adds some terms, in order, to the sums of a few rows and `columns` neighbouring outputs.
template <int lanes, int rows, int columns, typename T>
INLINE void add_terms(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t terms, const T *matrix,
                      int64_t stride) {
  Numbers<columns> sums[rows];
  for (int row = 0; row < rows; ++row) sums[row] = numbers<columns>(y + row * y_stride);
  for (int64_t i = 0; i < terms; ++i) {
    Numbers<columns> factors = numbers<columns>(matrix + i * stride);
    for (int row = 0; row < rows; ++row)
      sums[row] = multiply_add<lanes>(Numbers<columns>(x[row * x_stride + i]), factors, sums[row]);
  }
  for (int row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, &sums[row], sizeof sums[row]);
}

// Adds the terms to the sums of the next rows, as many as fit into the vector registers. Returns their number.
template <int lanes, int columns, typename T>
INLINE int64_t add_terms_of_next(int64_t left, float *y, int64_t y_stride, const float *x, int64_t x_stride,
                                 int64_t terms, const T *matrix, int64_t stride) {
  if (left >= 6) return add_terms<lanes, 6, columns>(y, y_stride, x, x_stride, terms, matrix, stride), 6;
  if (left >= 4) return add_terms<lanes, 4, columns>(y, y_stride, x, x_stride, terms, matrix, stride), 4;
  return add_terms<lanes, 1, columns>(y, y_stride, x, x_stride, terms, matrix, stride), 1;
}

template <int lanes, int columns, typename T>
INLINE void add_terms(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, int64_t terms,
                      const T *matrix, int64_t stride) {
  for (int64_t row = 0; row < rows;)
    row += add_terms_of_next<lanes, columns>(rows - row, y + row * y_stride, y_stride, x + row * x_stride, x_stride,
                                             terms, matrix, stride);
}

template <int lanes, typename T>
INLINE void multiply_by_matrix(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *matrix,
                               int64_t stride, int64_t begin, int64_t end) {
  constexpr int64_t kTerms = 256, kColumns = 2 * lanes, kRowsOfPanel = 24;
  float panel[kTerms * kColumns];
  for (int64_t row = 0; row < rows; ++row) std::fill(y + row * y_stride + begin, y + row * y_stride + end, 0.0f);
  for (int64_t first = 0; first < size; first += kTerms) {
    int64_t terms = std::min(kTerms, size - first);
    const float *factors = x + first;
    for (int64_t output = begin; output < end; output += kColumns) {
      int64_t count = std::min(kColumns, end - output);
      const T *part = matrix + first * stride + output;
      float *sums = y + output;
      if (count < kColumns) {
        for (int64_t column = 0; column < count; ++column)
          add_terms<lanes, 1>(sums + column, y_stride, factors, size, rows, terms, part + column, stride);
      } else if (rows < kRowsOfPanel) {
        add_terms<lanes, kColumns>(sums, y_stride, factors, size, rows, terms, part, stride);
      } else {
        // Many rows read a copy: rows of the matrix often lie a power of two apart, so that few fit into the L1 cache.
        for (int64_t i = 0; i < terms; ++i)
          for (int64_t column = 0; column < kColumns; ++column)
            panel[i * kColumns + column] = load(part[i * stride + column]);
        add_terms<lanes, kColumns>(sums, y_stride, factors, size, rows, terms, panel, kColumns);
      }
    }
  }
}

// MARK: Tensors

template <typename T>
INLINE void finish(T *y, const float *sums, const T *bias, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], bias ? sums[i] + load(bias[i]) : sums[i]);
}

// The products of all rows of `input`, with the outputs divided among the threads.
//
// multiply: called as multiply(float *sums, const float *x, int64_t rows, int64_t begin, int64_t end).
template <typename T, typename Multiply>
at::Tensor products(const at::Tensor &input, int64_t outputs, int64_t unit, const at::Tensor &bias,
                    const Multiply &multiply) {
  at::Tensor x = input.contiguous();
  int64_t size = x.size(-1), rows = x.numel() / size;
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  at::Tensor y = at::empty(shape, x.options());
  std::unique_ptr<float[]> wide, sums;
  const float *factors;
  float *results;
  if constexpr (std::is_same_v<T, float>) {
    std::tie(factors, results) = std::make_tuple(data<float>(x), data<float>(y));
  } else {
    wide = std::make_unique_for_overwrite<float[]>(rows * size);
    sums = std::make_unique_for_overwrite<float[]>(rows * outputs);
    vectorized<widen<T>>(wide.get(), data<T>(x), rows * size);
    std::tie(factors, results) = std::make_tuple(wide.get(), sums.get());
  }
  int64_t units = (outputs + unit - 1) / unit;
  // A thread reads at least about 64 kB of weights.
  parallel_for(units, std::max<int64_t>(1, (1 << 15) / (size * unit)), [&](int64_t first, int64_t last) {
    int64_t begin = first * unit, end = std::min(outputs, last * unit);
    multiply(results, factors, rows, begin, end);
    if (std::is_same_v<T, float> && !bias.defined()) return;
    for (int64_t row = 0; row < rows; ++row)
      vectorized<finish<T>>(data<T>(y) + row * outputs + begin, results + row * outputs + begin,
                            bias.defined() ? data<T>(bias) + begin : nullptr, end - begin);
  });
  return y;
}

thread_local bool rows_are_apart = false;

}  // namespace

bool keeps_rows_apart() { return rows_are_apart; }

template <typename T>
void skinny_gemm(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                 int64_t weight_stride, int64_t begin, int64_t end) {
  switch (vector_lanes()) {
    case 16: return vectorized<multiply<16, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
    case 8: return vectorized<multiply<8, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
    default: return vectorized<multiply<4, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
  }
}

template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t);
template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const bf16 *, int64_t, int64_t, int64_t);

template <typename T>
void skinny_matmul(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *matrix,
                   int64_t stride, int64_t begin, int64_t end) {
  switch (vector_lanes()) {
    case 16: return vectorized<multiply_by_matrix<16, T>>(y, y_stride, x, rows, size, matrix, stride, begin, end);
    case 8: return vectorized<multiply_by_matrix<8, T>>(y, y_stride, x, rows, size, matrix, stride, begin, end);
    default: return vectorized<multiply_by_matrix<4, T>>(y, y_stride, x, rows, size, matrix, stride, begin, end);
  }
}

template void skinny_matmul(float *, int64_t, const float *, int64_t, int64_t, const float *, int64_t, int64_t,
                            int64_t);
template void skinny_matmul(float *, int64_t, const float *, int64_t, int64_t, const bf16 *, int64_t, int64_t, int64_t);

bool supports_skinny_gemm(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias) {
  if (!is_supported(x) || x.scalar_type() != weight.scalar_type() || x.dim() < 1 || weight.dim() != 2) return false;
  int64_t size = weight.size(1);
  if (x.size(-1) != size || size == 0 || x.numel() == 0 || weight.stride(1) != 1) return false;
  if (!keeps_rows_apart() && x.numel() > kMaxSkinnyRows * size) return false;
  if (differentiable(x) || differentiable(weight)) return false;
  if (!bias.defined()) return true;
  return !differentiable(bias) && bias.scalar_type() == x.scalar_type() && bias.is_contiguous() && bias.dim() == 1 &&
         bias.size(0) == weight.size(0);
}

at::Tensor skinny_linear(const at::Tensor &input, const at::Tensor &weight, const at::Tensor &bias) {
  at::Tensor result;
  int64_t outputs = weight.size(0), size = weight.size(1);
  with_element(input, [&]<typename T>() {
    result = products<T>(input, outputs, 1, bias,
                         [&](float *sums, const float *x, int64_t rows, int64_t begin, int64_t end) {
                           skinny_gemm(sums, outputs, x, rows, size, data<T>(weight), weight.stride(0), begin, end);
                         });
  });
  return result;
}

bool supports_skinny_matmul(const at::Tensor &x, const at::Tensor &matrix) {
  return is_supported(x) && x.scalar_type() == matrix.scalar_type() && x.dim() > 1 && matrix.dim() == 2 &&
         x.size(-1) == matrix.size(0) && x.numel() > 0 && matrix.stride(1) == 1 && !differentiable(x) &&
         !differentiable(matrix) && (keeps_rows_apart() || x.numel() <= kMaxSkinnyRows * x.size(-1));
}

at::Tensor skinny_matmul(const at::Tensor &input, const at::Tensor &matrix) {
  at::Tensor result;
  int64_t outputs = matrix.size(1), size = matrix.size(0), stride = matrix.stride(0);
  with_element(input, [&]<typename T>() {
    result = products<T>(input, outputs, 2 * vector_lanes(), {},
                         [&](float *sums, const float *x, int64_t rows, int64_t begin, int64_t end) {
                           skinny_matmul(sums, outputs, x, rows, size, data<T>(matrix), stride, begin, end);
                         });
  });
  return result;
}

}  // namespace ctorch

void ct_keep_rows_apart(int keeps) { ctorch::rows_are_apart = keeps != 0; }

int ct_keeps_rows_apart(void) { return ctorch::rows_are_apart ? 1 : 0; }
