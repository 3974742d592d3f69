// Products of a few rows with a matrix of weights, at the rate at which the weights come from memory.
//
// libtorch's products are made for many rows: with one they read weights at 14 (float32) to 19 GB/s (bfloat16) where
// the memory gives 58. Here every weight is read once, in order, for all rows.

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "vectorized.h"

namespace ctorch {

// As many rows as the kernel takes: with more, libtorch's products are faster.
constexpr int64_t few_rows = 8;

// y[r · y_stride + o] = Σ x[r · size + i] · weight[o · weight_stride + i] for outputs o in begin..<end.
void multiply_few_rows(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const float *weight,
                       int64_t weight_stride, int64_t begin, int64_t end);
void multiply_few_rows(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size, const bf16 *weight,
                       int64_t weight_stride, int64_t begin, int64_t end);

// x·weightᵀ + bias, where `serves_few_rows` says so. bias may be undefined.
bool serves_few_rows(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias);
at::Tensor linear_of_few_rows(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias);

}  // namespace ctorch
