// A few rows of a row-wise network whose weights are packed.
//
// The threads divide the outputs of each layer, so that each weight is read by one thread. The bits of a row do not
// depend on the others.

#pragma once

#include <algorithm>
#include <vector>

#include "../support.h"
#include "packed_weight.h"
#include "row_arithmetic.h"

namespace ctorch::packed_rows {

template <typename T>
INLINE void layer_norm(float *x, const T *weight, const T *bias, int64_t size, float epsilon) {
  ANY_ORDER
  auto [mean, r] = row_moments(x, size, epsilon);
  for (int64_t i = 0; i < size; ++i) x[i] = (x[i] - mean) * r * load(weight[i]) + load(bias[i]);
}

template <typename T>
INLINE void rms_norm(float *x, const T *weight, int64_t size, float epsilon) {
  ANY_ORDER
  float square = 0;
  for (int64_t i = 0; i < size; ++i) square += x[i] * x[i];
  float r = 1.0f / std::sqrt(square / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) x[i] *= r * load(weight[i]);
}

// The first half of x becomes the gated one.
template <typename T>
INLINE void gate_halves(float *x, const T *bias, int64_t half) {
  for (int64_t i = 0; i < half; ++i) x[i] = silu(x[i] + load(bias[i])) * (x[half + i] + load(bias[half + i]));
}

template <typename T>
INLINE void store_row(T *y, const float *x, int64_t size) {
  for (int64_t i = 0; i < size; ++i) store(y[i], x[i]);
}

template <typename T>
class PackedRows {
 public:
  // source: [rows][size]. first: the index of the first row. widest: the maximum number of features between two steps.
  PackedRows(const T *source, int64_t first, int64_t rows, int64_t size, int64_t widest)
      : first_(first), rows_(rows), size_(size), stride_(panel_count(widest) * kPanel) {
    // Kept per thread, for many calls of some ten microseconds.
    static thread_local std::vector<float> numbers[4];
    for (auto &buffer : numbers)
      if (static_cast<int64_t>(buffer.size()) < rows * stride_) buffer.resize(rows * stride_);
    x_ = numbers[0].data(), next_ = numbers[1].data(), kept_ = numbers[2].data(), spare_ = numbers[3].data();
    for (int64_t row = 0; row < rows; ++row) vectorized<widen<T>>(x(row), source + row * size, size);
  }

  void take(const ct_row_step &step) {
    const T *weight = numbers(step.weight), *other = numbers(step.other);
    float epsilon = static_cast<float>(step.epsilon);
    switch (step.kind) {
      case CT_LINEAR: return product(step, other);
      case CT_GATED: return gated(step);
      case CT_LAYER_NORM:
        return over_rows([&](int64_t row) { vectorized<layer_norm<T>>(x(row), weight, other, size_, epsilon); });
      case CT_RMS_NORM: return over_rows([&](int64_t row) { vectorized<rms_norm<T>>(x(row), weight, size_, epsilon); });
      case CT_SILU_PLUS: {
        // One summand for all rows, or one for each row of a repeating sequence.
        int64_t summands = step.other->value.numel() / size_;
        return over_rows(
            [&](int64_t row) { vectorized<activate<T>>(x(row), other + (first_ + row) % summands * size_, size_); });
      }
      case CT_HALVES:
        size_ /= 2;
        return over_rows([&](int64_t row) { vectorized<gate_halves<T>>(x(row), other, size_); });
      case CT_KEEP: std::copy_n(x_, rows_ * stride_, kept_);
    }
  }

  // y: [rows][size].
  void store(T *y) const {
    for (int64_t row = 0; row < rows_; ++row) vectorized<store_row<T>>(y + row * size_, x(row), size_);
  }

 private:
  static const T *numbers(ct_tensor tensor) { return tensor ? data<T>(tensor->value) : nullptr; }

  float *x(int64_t row) const { return x_ + row * stride_; }

  // Calls body(row), in parallel if that takes longer than to wait for each other.
  template <typename Body>
  void over_rows(const Body &body) const {
    parallel_for(rows_, std::max<int64_t>(1, (1 << 14) / size_), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) body(row);
    });
  }

  void multiply(float *y, ct_tensor panels, int64_t begin, int64_t end) const {
    multiply_packed(y, stride_, x_, stride_, rows_, size_, data<T>(panels->value), begin, end);
  }

  // Computes the outputs of a layer by body(begin, end) for panels, then finish(place, from, count) for the outputs
  // `from`..<`from + count` of each row, which begin at `place` in each buffer.
  template <typename Body, typename Finish>
  void over_outputs(int64_t outputs, const Body &body, const Finish &finish) {
    over_panels(panel_count(outputs), rows_, size_, [&](int64_t begin, int64_t end) {
      body(begin, end);
      int64_t from = begin * kPanel, count = std::min(outputs, end * kPanel) - from;
      for (int64_t row = 0; row < rows_; ++row) finish(row * stride_ + from, from, count);
    });
    std::swap(x_, next_);
    size_ = outputs;
  }

  void product(const ct_row_step &step, const T *bias) {
    over_outputs(
        step.weight->value.size(0), [&](int64_t begin, int64_t end) { multiply(next_, step.panels, begin, end); },
        [&](int64_t place, int64_t from, int64_t count) {
          if (bias) vectorized<add_bias<T>>(next_ + place, bias + from, count);
          if (step.adds_kept) vectorized<add>(next_ + place, kept_ + place, count);
        });
  }

  void gated(const ct_row_step &step) {
    over_outputs(
        step.weight->value.size(0),
        [&](int64_t begin, int64_t end) {
          multiply(next_, step.panels, begin, end);
          multiply(spare_, step.other_panels, begin, end);
        },
        [&](int64_t place, int64_t, int64_t count) { vectorized<gate>(next_ + place, spare_ + place, count); });
  }

  const int64_t first_, rows_;
  int64_t size_;
  const int64_t stride_;
  float *x_, *next_, *kept_, *spare_;  // [rows][stride]
};

}  // namespace ctorch::packed_rows
