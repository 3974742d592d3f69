#include "skinny_gemm.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "../support.h"
#include "parallel.h"

namespace ctorch {

namespace {

template <int rows, typename T>
INLINE void dots(float *y, int64_t y_stride, const float *x, int64_t size, const T *weight) {
  ANY_ORDER
  float sums[rows] = {};
  for (int64_t i = 0; i < size; ++i) {
    float w = load(weight[i]);
    for (int row = 0; row < rows; ++row) sums[row] += w * x[row * size + i];
  }
  for (int row = 0; row < rows; ++row) y[row * y_stride] = sums[row];
}

// Prefetches the weights 4 KiB ahead. Hardware prefetchers stop at the end of each page, and without this they reach
// half of the memory bandwidth.
INLINE void prefetch(const void *place, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char *>(place) + 4096 + i);
}

template <typename T>
INLINE void multiply(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                     int64_t weight_stride, int64_t begin, int64_t end) {
  for (int64_t output = begin; output < end; ++output) {
    const T *w = weight + output * weight_stride;
    prefetch(w, size * static_cast<int64_t>(sizeof(T)));
    int64_t row = 0;
    // The weights stay in the L1 cache for the other rows.
    for (; row + 4 <= rows; row += 4) dots<4>(y + row * y_stride + output, y_stride, x + row * size, size, w);
    for (; row + 2 <= rows; row += 2) dots<2>(y + row * y_stride + output, y_stride, x + row * size, size, w);
    if (row < rows) dots<1>(y + row * y_stride + output, y_stride, x + row * size, size, w);
  }
}

template <typename T>
INLINE void finish(T *y, const float *sums, const T *bias, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], bias ? sums[i] + load(bias[i]) : sums[i]);
}

template <typename T>
INLINE void widen(float *y, const T *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = load(x[i]);
}

thread_local bool rows_are_apart = false;

}  // namespace

bool keeps_rows_apart() { return rows_are_apart; }

template <typename T>
void skinny_gemm(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                 int64_t weight_stride, int64_t begin, int64_t end) {
  vectorized<multiply<T>>(y, y_stride, x, rows, size, weight, weight_stride, begin, end);
}

template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t);
template void skinny_gemm(float *, int64_t, const float *, int64_t, int64_t, const bf16 *, int64_t, int64_t, int64_t);

bool supports_skinny_gemm(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias) {
  if (!is_supported(x) || x.scalar_type() != weight.scalar_type() || x.dim() < 1 || weight.dim() != 2) return false;
  int64_t size = weight.size(1);
  int64_t rows = keeps_rows_apart() ? kMaxApartRows : kMaxSkinnyRows;
  if (x.size(-1) != size || size == 0 || x.numel() > rows * size || weight.stride(1) != 1) return false;
  if (differentiable(x) || differentiable(weight)) return false;
  if (!bias.defined()) return true;
  return !differentiable(bias) && bias.scalar_type() == x.scalar_type() && bias.is_contiguous() && bias.dim() == 1 &&
         bias.size(0) == weight.size(0);
}

at::Tensor skinny_linear(const at::Tensor &input, const at::Tensor &weight, const at::Tensor &bias) {
  at::Tensor x = input.contiguous();
  int64_t size = weight.size(1), outputs = weight.size(0), rows = x.numel() / size;
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  at::Tensor y = at::empty(shape, x.options());
  std::vector<float> wide(rows * size), sums(rows * outputs);
  with_element(x, [&]<typename T>() {
    vectorized<widen<T>>(wide.data(), data<T>(x), rows * size);
    // A thread reads at least about 64 kB of weights.
    parallel_for(outputs, std::max<int64_t>(1, (1 << 15) / size), [&](int64_t begin, int64_t end) {
      skinny_gemm(sums.data(), outputs, wide.data(), rows, size, data<T>(weight), weight.stride(0), begin, end);
      for (int64_t row = 0; row < rows; ++row)
        vectorized<finish<T>>(data<T>(y) + row * outputs + begin, sums.data() + row * outputs + begin,
                              bias.defined() ? data<T>(bias) + begin : nullptr, end - begin);
    });
  });
  return y;
}

}  // namespace ctorch

void ct_keep_rows_apart(int keeps) { ctorch::rows_are_apart = keeps != 0; }
