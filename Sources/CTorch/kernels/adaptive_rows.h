// Rows of a network of adaptive blocks (CALM/Heads/AdaptiveNetwork.swift), each with shifts, scales and gates of its
// own.
//
// The weights are packed, and the numbers between the products are float32. The bits of a row do not depend on the
// others.

#pragma once

#include <algorithm>
#include <memory>

#include "../support.h"
#include "packed_weight.h"
#include "row_arithmetic.h"

namespace ctorch {

// Numbers that are written before they are read.
using Buffer = std::unique_ptr<float[]>;
inline Buffer buffer(int64_t count) { return std::make_unique_for_overwrite<float[]>(count); }

// (x − mean) / √(variance + ε) · (1 + scale) + shift, where weight and bias, if not null, come before scale and shift.
template <typename T>
INLINE void normalize(float *y, const float *x, const T *weight, const T *bias, const float *shift, const float *scale,
                      int64_t size, float epsilon) {
  ANY_ORDER
  auto [mean, r] = row_moments(x, size, epsilon);
  if (weight)
    for (int64_t i = 0; i < size; ++i)
      y[i] = ((x[i] - mean) * r * load(weight[i]) + load(bias[i])) * (1 + scale[i]) + shift[i];
  else
    for (int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * r * (1 + scale[i]) + shift[i];
}

template <typename T>
INLINE void add_gated(float *x, const float *y, const T *bias, const float *gate, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += gate[i] * (y[i] + load(bias[i]));
}

template <typename T>
class AdaptiveRows {
 public:
  // hidden: h; most: the maximum number of rows at once.
  AdaptiveRows(const ct_adaptive_network &network, int64_t hidden, int64_t most)
      : network_(network),
        size_(hidden),
        stride_(panel_count(hidden) * kPanel),
        x_(buffer(most * stride_)),
        inner_(buffer(most * stride_)),
        output_(buffer(most * stride_)) {}

  // The distance of rows.
  int64_t stride() const { return stride_; }
  // The input of a row, which `apply` changes.
  float *input(int64_t row) const { return &x_[row * stride_]; }
  float *output(int64_t row) const { return &output_[row * stride_]; }

  // Computes the outputs of the first rows.
  //
  // modulations: of each row shift, scale and gate of each block, then shift and scale of the output.
  void apply(const float *const *modulations, int64_t rows) {
    for (int i = 0; i < network_.block_count; ++i) take(network_.blocks[i], modulations, 3 * i * size_, rows);
    over_panels(panel_count(size_), rows, size_, [&](int64_t begin, int64_t end) {
      Buffer normal = normalized(nullptr, modulations, 3 * network_.block_count * size_, rows);
      multiply(output_, normal, network_.output_weight, rows, begin, end,
               [&](float *y, int64_t, int64_t from, int64_t count) {
                 vectorized<add_bias<T>>(y, data<T>(network_.output_bias->value) + from, count);
               });
    });
  }

 private:
  static constexpr float kEpsilon = 1e-6f;

  // A residual block, whose modulations begin at `first`.
  void take(const ct_adaptive_block &block, const float *const *modulations, int64_t first, int64_t rows) {
    over_panels(panel_count(size_), rows, size_, [&](int64_t begin, int64_t end) {
      Buffer normal = normalized(&block, modulations, first, rows);
      multiply(inner_, normal, block.hidden_weight, rows, begin, end,
               [&](float *y, int64_t, int64_t from, int64_t count) {
                 vectorized<activate<T>>(y, data<T>(block.hidden_bias->value) + from, count);
               });
    });
    over_panels(panel_count(size_), rows, size_, [&](int64_t begin, int64_t end) {
      multiply(output_, inner_, block.output_weight, rows, begin, end,
               [&](float *y, int64_t row, int64_t from, int64_t count) {
                 const float *gate = modulations[row] + first + 2 * size_;
                 vectorized<add_gated<T>>(input(row) + from, y, data<T>(block.output_bias->value) + from, gate + from,
                                          count);
               });
    });
  }

  // The rows, normalized, scaled and shifted. Each thread computes all of them, which takes less time than waiting for
  // others.
  //
  // block: whose norm has weights; null for that before the output.
  Buffer normalized(const ct_adaptive_block *block, const float *const *modulations, int64_t first,
                    int64_t rows) const {
    Buffer normal = buffer(rows * stride_);
    for (int64_t row = 0; row < rows; ++row) {
      const float *shift = modulations[row] + first;
      vectorized<normalize<T>>(&normal[row * stride_], input(row), block ? data<T>(block->norm_weight->value) : nullptr,
                               block ? data<T>(block->norm_bias->value) : nullptr, shift, shift + size_, size_,
                               kEpsilon);
    }
    return normal;
  }

  // y = x·weightᵀ of [h, h] for panels begin..<end, then finish(y, row, from, count) for the outputs of each row.
  template <typename Finish>
  void multiply(const Buffer &y, const Buffer &x, ct_tensor weight, int64_t rows, int64_t begin, int64_t end,
                const Finish &finish) const {
    multiply_packed(y.get(), stride_, x.get(), stride_, rows, size_, data<T>(weight->value), begin, end);
    int64_t from = begin * kPanel, count = std::min(size_, end * kPanel) - from;
    for (int64_t row = 0; row < rows; ++row) finish(&y[row * stride_ + from], row, from, count);
  }

  const ct_adaptive_network &network_;
  const int64_t size_, stride_;
  Buffer x_, inner_, output_;
};

// Checks that a tensor of a head can be read in place.
inline void check_numbers(ct_tensor handle, at::ScalarType type, int64_t rows, int64_t columns) {
  const at::Tensor &tensor = handle->value;
  TORCH_CHECK(tensor.is_contiguous() && tensor.device().is_cpu() && tensor.scalar_type() == type &&
                  tensor.numel() == rows * columns && tensor.size(0) == rows,
              "numbers of ", tensor.sizes(), " where ", rows, " by ", columns, " are needed");
}

// Checks the weights of a network for rows of h numbers.
inline void check_network(const ct_adaptive_network &network, at::ScalarType type, int64_t h) {
  int64_t panels = panel_count(h);
  for (int i = 0; i < network.block_count; ++i) {
    const ct_adaptive_block &block = network.blocks[i];
    for (ct_tensor vector : {block.norm_weight, block.norm_bias, block.hidden_bias, block.output_bias})
      check_numbers(vector, type, h, 1);
    for (ct_tensor matrix : {block.hidden_weight, block.output_weight}) check_numbers(matrix, type, panels, h * kPanel);
  }
  check_numbers(network.output_weight, type, panels, h * kPanel);
  check_numbers(network.output_bias, type, h, 1);
}

}  // namespace ctorch
