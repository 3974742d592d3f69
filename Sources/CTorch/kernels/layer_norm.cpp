// LayerNorm: y = (x − mean) / √(variance + ε) · weight + bias, in one pass forward and one backward.
//
// libtorch's backward pass reads the rows once for the gradient of the input and again, by columns, for those of weight
// and bias. Here a row is read once and added to the gradients of weight and bias while it is in the L1 cache.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// statistics: mean and 1/√(variance + ε) of each row.
template <typename T>
INLINE void normalize(T *y, float *statistics, const T *x, const T *weight, const T *bias, int64_t rows, int64_t size,
                      float epsilon) {
  ANY_ORDER
  for (int64_t row = 0; row < rows; ++row, x += size, y += size) {
    float sum = 0, squares = 0;
    for (int64_t i = 0; i < size; ++i) sum += load(x[i]);
    float mean = sum / static_cast<float>(size);
    for (int64_t i = 0; i < size; ++i) squares += (load(x[i]) - mean) * (load(x[i]) - mean);
    float r = 1.0f / std::sqrt(squares / static_cast<float>(size) + epsilon);
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = r;
    for (int64_t i = 0; i < size; ++i) store(y[i], (load(x[i]) - mean) * r * load(weight[i]) + load(bias[i]));
  }
}

// With n = (x − mean)·r and u = g·w: dx = r·(u − mean(u) − n·mean(u·n)); dw += g·n; db += g
template <typename T>
INLINE void differentiate(T *dx, float *dw, float *db, const T *g, const T *x, const T *weight, const float *statistics,
                          int64_t rows, int64_t size) {
  ANY_ORDER
  for (int64_t row = 0; row < rows; ++row, x += size, g += size, dx += size) {
    float mean = statistics[2 * row], r = statistics[2 * row + 1], sum = 0, product = 0;
    for (int64_t i = 0; i < size; ++i) {
      float u = load(g[i]) * load(weight[i]);
      sum += u;
      product += u * (load(x[i]) - mean);
    }
    float shift = sum / static_cast<float>(size), shrink = product * r * r / static_cast<float>(size);
    for (int64_t i = 0; i < size; ++i) {
      float gradient = load(g[i]), centred = load(x[i]) - mean;
      dw[i] += gradient * centred * r;
      db[i] += gradient;
      store(dx[i], r * (gradient * load(weight[i]) - shift - centred * shrink));
    }
  }
}

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            const at::Tensor &bias, double epsilon) {
    at::Tensor x = input.contiguous(), y = at::empty_like(x);
    int64_t size = x.size(-1), rows = size > 0 ? x.numel() / size : 0;
    at::Tensor statistics = at::empty({rows, 2}, at::kFloat);
    with_element(x, [&]<typename T>() {
      parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
        vectorized<normalize<T>>(data<T>(y) + begin * size, data<float>(statistics) + 2 * begin,
                                 data<T>(x) + begin * size, data<T>(weight), data<T>(bias), end - begin, size,
                                 static_cast<float>(epsilon));
      });
    });
    context->save_for_backward({x, weight, statistics});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &statistics = saved[2];
    at::Tensor g = gradients[0].contiguous(), dx = at::empty_like(x);
    int64_t size = x.size(-1), rows = size > 0 ? x.numel() / size : 0;
    at::Tensor sums = at::zeros({kSlices, 2, size}, at::kFloat);
    with_element(x, [&]<typename T>() {
      in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
        float *dw = data<float>(sums) + slice * 2 * size;
        vectorized<differentiate<T>>(data<T>(dx) + begin * size, dw, dw + size, data<T>(g) + begin * size,
                                     data<T>(x) + begin * size, data<T>(weight), data<float>(statistics) + 2 * begin,
                                     end - begin, size);
      });
    });
    at::Tensor total = sums.sum(0).to(weight.scalar_type());
    return {dx, total.select(0, 0), total.select(0, 1), at::Tensor()};
  }
};

}  // namespace

int ct_layer_norm(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor bias, double epsilon) {
  return make(out, [&] {
    const at::Tensor &input = x->value;
    if (is_supported(input) && weight && bias && weight->value.scalar_type() == input.scalar_type() &&
        bias->value.scalar_type() == input.scalar_type()) {
      const at::Tensor &scale = weight->value, &shift = bias->value;
      TORCH_CHECK(
          input.dim() > 0 && scale.dim() == 1 && scale.size(0) == input.size(-1) && shift.sizes() == scale.sizes(),
          "LayerNorm of ", input.sizes(), " with a weight of ", scale.sizes());
      return LayerNorm::apply(input, scale.contiguous(), shift.contiguous(), epsilon);
    }
    auto given = [](ct_tensor tensor) { return tensor ? std::optional(tensor->value) : std::nullopt; };
    return at::layer_norm(input, input.sizes().slice(input.dim() - 1), given(weight), given(bias), epsilon);
  });
}
