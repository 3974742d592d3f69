#include "skinny_gemm.h"

#include <ATen/ops/empty.h>

#include <memory>
#include <type_traits>

#include "../support.h"
#include "parallel.h"

// Vectors are passed to functions that are inlined into code for the processor, so there is no ABI to change.
#pragma clang diagnostic ignored "-Wpsabi"

namespace ctorch {

namespace {

// MARK: x·weightᵀ

// Some neighbouring terms of a sum. Compilers split it into vectors that the processor has.
template <int lanes>
using Terms = float __attribute__((ext_vector_type(lanes)));

// `count` numbers, and zeros in the other lanes.
template <int lanes, typename T>
INLINE Terms<lanes> load_terms(const T *x, int64_t count) {
  Terms<lanes> terms = 0;
  for (int64_t lane = 0; lane < count; ++lane) terms[lane] = load(x[lane]);
  return terms;
}

// The sum of all lanes.
template <int lanes>
INLINE float total(const Terms<lanes> &terms) {
  if constexpr (lanes == 2) {
    return terms[0] + terms[1];
  } else {
    return total<lanes / 2>(terms.lo + terms.hi);
  }
}

// The sums of a few rows and outputs, each in the same order of its terms whatever the number of rows and outputs is.
template <int lanes, int rows, int outputs, bool prefetches, typename T>
INLINE void dots(float *y, int64_t y_stride, const float *x, int64_t size, const T *weight, int64_t weight_stride) {
#pragma clang fp contract(fast)
  constexpr int64_t kLine = 64 / sizeof(T);
  Terms<lanes> sums[rows][outputs] = {};
  for (int64_t i = 0; i < size; i += lanes) {
    int64_t count = std::min<int64_t>(lanes, size - i);
    // Of the next outputs: hardware prefetchers stop at the end of each page, and without this they reach half of the
    // memory bandwidth.
    if (prefetches && i % kLine == 0)
      for (int output = 0; output < outputs; ++output)
        __builtin_prefetch(weight + outputs * weight_stride + i * outputs + output * kLine);
    auto add = [&](int64_t count) __attribute__((always_inline)) {
      Terms<lanes> weights[outputs];
      for (int output = 0; output < outputs; ++output)
        weights[output] = load_terms<lanes>(weight + output * weight_stride + i, count);
      for (int row = 0; row < rows; ++row) {
        Terms<lanes> terms = load_terms<lanes>(x + row * size + i, count);
        for (int output = 0; output < outputs; ++output) sums[row][output] += terms * weights[output];
      }
    };
    if (count == lanes)
      add(lanes);
    else
      add(count);
  }
  for (int row = 0; row < rows; ++row)
    for (int output = 0; output < outputs; ++output) y[row * y_stride + output] = total<lanes>(sums[row][output]);
}

template <int lanes, int rows, bool prefetches, typename T>
INLINE void multiply_rows(float *y, int64_t y_stride, const float *x, int64_t size, const T *weight,
                          int64_t weight_stride, int64_t count) {
  constexpr int kOutputs = rows == 4 ? 2 : 4;  // for the number of vector registers
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
  if (left >= 4) return multiply_rows<lanes, 4, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 4;
  if (left >= 2) return multiply_rows<lanes, 2, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 2;
  return multiply_rows<lanes, 1, prefetches>(y, y_stride, x, size, weight, weight_stride, count), 1;
}

template <int lanes, typename T>
INLINE void multiply(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                     int64_t weight_stride, int64_t begin, int64_t end) {
  // The weights of a panel are read from memory for the first rows, and stay in a cache for the others.
  int64_t panel = rows == 1 || rows == 2 || rows == 4 ? end - begin : std::max<int64_t>(8, (1 << 13) / size / 8 * 8);
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

// The sums of a few rows and `lanes` neighbouring outputs, in the order of the terms.
template <int lanes, int rows, typename T>
INLINE void sum_columns(float *y, int64_t y_stride, const float *x, int64_t size, const T *matrix, int64_t stride,
                        int64_t count) {
#pragma clang fp contract(fast)
  Terms<lanes> sums[rows] = {};
  for (int64_t i = 0; i < size; ++i) {
    Terms<lanes> numbers = load_terms<lanes>(matrix + i * stride, count);
    for (int row = 0; row < rows; ++row) sums[row] += x[row * size + i] * numbers;
  }
  for (int row = 0; row < rows; ++row)
    for (int64_t lane = 0; lane < count; ++lane) y[row * y_stride + lane] = sums[row][lane];
}

template <int lanes, int rows, typename T>
INLINE void multiply_columns(float *y, int64_t y_stride, const float *x, int64_t size, const T *matrix, int64_t stride,
                             int64_t begin, int64_t end) {
  int64_t output = begin;
  for (; output + lanes <= end; output += lanes)
    sum_columns<lanes, rows>(y + output, y_stride, x, size, matrix + output, stride, lanes);
  if (output < end) sum_columns<lanes, rows>(y + output, y_stride, x, size, matrix + output, stride, end - output);
}

template <int lanes, typename T>
INLINE void multiply_by_matrix(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *matrix,
                               int64_t stride, int64_t begin, int64_t end) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4)
    multiply_columns<lanes, 4>(y + row * y_stride, y_stride, x + row * size, size, matrix, stride, begin, end);
  for (; row < rows; ++row)
    multiply_columns<lanes, 1>(y + row * y_stride, y_stride, x + row * size, size, matrix, stride, begin, end);
}

// MARK: Tensors

template <typename T>
INLINE void finish(T *y, const float *sums, const T *bias, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], bias ? sums[i] + load(bias[i]) : sums[i]);
}

template <typename T>
INLINE void widen(float *y, const T *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = load(x[i]);
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
#ifdef __x86_64__
  if (cpu_level() >= CPULevel::avx512)
    return vectorized<multiply<16, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
  if (cpu_level() == CPULevel::baseline)
    return vectorized<multiply<4, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
#endif
  vectorized<multiply<8, T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
}

template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t);
template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const bf16 *, int64_t, int64_t, int64_t);

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
  return keeps_rows_apart() && is_supported(x) && x.scalar_type() == matrix.scalar_type() && x.dim() > 1 &&
         matrix.dim() == 2 && x.size(-1) == matrix.size(0) && x.numel() > 0 && matrix.stride(1) == 1 &&
         !differentiable(x) && !differentiable(matrix);
}

at::Tensor skinny_matmul(const at::Tensor &input, const at::Tensor &matrix) {
  at::Tensor result;
  int64_t outputs = matrix.size(1), size = matrix.size(0);
  constexpr int kLanes = 16;
  with_element(input, [&]<typename T>() {
    result = products<T>(input, outputs, kLanes, {},
                         [&](float *sums, const float *x, int64_t rows, int64_t begin, int64_t end) {
                           vectorized<multiply_by_matrix<kLanes, T>>(sums, outputs, x, rows, size, data<T>(matrix),
                                                                     matrix.stride(0), begin, end);
                         });
  });
  return result;
}

}  // namespace ctorch

void ct_keep_rows_apart(int keeps) { ctorch::rows_are_apart = keeps != 0; }
