// Products of a few rows and a matrix of weights, at memory bandwidth.
//
// libtorch's products are designed for many rows: with one row they read weights at 14 GB/s (float32) or 19 GB/s
// (bfloat16), of a memory bandwidth of 58 GB/s. Here every weight is read once, in order, for all rows.
//
// The bits of a row do not depend on the number of rows, on their contents or on the number of threads. Products of
// many rows use these kernels too where that is needed: see ct_keep_rows_apart.

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "vectorized.h"

namespace ctorch {

// The maximum number of rows where rows are not kept apart. With more rows, libtorch's products are often faster.
constexpr int64_t kMaxSkinnyRows = 8;

// Whether this thread keeps rows apart.
bool keeps_rows_apart();

// y[r · y_stride + o] = Σ x[r · size + i] · weight[o · weight_stride + i] for outputs o in begin..<end.
template <typename T>
void skinny_gemm(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *weight,
                 int64_t weight_stride, int64_t begin, int64_t end);

// y[r · y_stride + o] = Σ x[r · size + i] · matrix[i · stride + o] for outputs o in begin..<end.
template <typename T>
void skinny_matmul(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const T *matrix,
                   int64_t stride, int64_t begin, int64_t end);

// x·weightᵀ + bias, if `supports_skinny_gemm` is true. bias may be undefined.
bool supports_skinny_gemm(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias);
at::Tensor skinny_linear(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias);

// x·matrix, if `supports_skinny_matmul` is true.
bool supports_skinny_matmul(const at::Tensor &x, const at::Tensor &matrix);
at::Tensor skinny_matmul(const at::Tensor &x, const at::Tensor &matrix);

}  // namespace ctorch
