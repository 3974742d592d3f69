// x·weightᵀ + bias + residual, as one step of the autograd graph.
//
// libtorch's linear takes four steps for a three-dimensional input without bias, copies the bias into the result before
// the product, adds the residual in a separate pass, and sums the gradient of the bias by columns, which reads a cache
// line per number. Here bias and residual are added in one pass, and the gradient of the bias is summed by rows.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../support.h"
#include "parallel.h"
#include "skinny_gemm.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <typename T>
INLINE void add(T *y, const T *bias, const T *residual, int64_t rows, int64_t size) {
  for (int64_t row = 0; row < rows; ++row, y += size) {
    if (bias && residual) {
      for (int64_t i = 0; i < size; ++i) store(y[i], load(y[i]) + load(bias[i]) + load(residual[row * size + i]));
    } else if (bias) {
      for (int64_t i = 0; i < size; ++i) store(y[i], load(y[i]) + load(bias[i]));
    } else {
      for (int64_t i = 0; i < size; ++i) store(y[i], load(y[i]) + load(residual[row * size + i]));
    }
  }
}

template <typename T>
INLINE void sum(float *total, const T *x, int64_t rows, int64_t size) {
  for (int64_t row = 0; row < rows; ++row, x += size)
    for (int64_t i = 0; i < size; ++i) total[i] += load(x[i]);
}

at::Tensor in_rows(const at::Tensor &x) { return x.reshape({-1, x.size(-1)}).contiguous(); }

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &residual) {
    at::Tensor x = in_rows(input), y = at::mm(x, weight.t());
    int64_t rows = y.size(0), size = y.size(1);
    if (bias || residual) {
      at::Tensor shift = bias ? bias->contiguous() : at::Tensor();
      at::Tensor rest = residual ? residual->contiguous() : at::Tensor();
      with_element(y, [&]<typename T>() {
        parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
          vectorized<add<T>>(data<T>(y) + begin * size, bias ? data<T>(shift) : nullptr,
                             residual ? data<T>(rest) + begin * size : nullptr, end - begin, size);
        });
      });
    }
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    context->saved_data["residual"] = residual.has_value();
    return y.view(with_last(input, size));
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    at::Tensor g = in_rows(gradients[0]), dx, dweight, dbias, dresidual;
    if (context->needs_input_grad(0)) dx = at::mm(g, weight).view(with_last(gradients[0], weight.size(1)));
    if (context->needs_input_grad(1)) dweight = at::mm(g.t(), x);
    // Absent inputs are not numbered.
    bool has_bias = context->saved_data["bias"].toBool(), has_residual = context->saved_data["residual"].toBool();
    if (has_bias && context->needs_input_grad(2)) {
      int64_t size = g.size(1);
      at::Tensor sums = at::zeros({kSlices, size}, at::kFloat);
      with_element(g, [&]<typename T>() {
        in_slices(g.size(0), [&](int64_t slice, int64_t begin, int64_t end) {
          vectorized<sum<T>>(data<float>(sums) + slice * size, data<T>(g) + begin * size, end - begin, size);
        });
      });
      dbias = sums.sum(0).to(g.scalar_type());
    }
    if (has_residual && context->needs_input_grad(has_bias ? 3 : 2)) dresidual = gradients[0];
    return {dx, dweight, dbias, dresidual};
  }

 private:
  // The shape of a tensor with another last dimension.
  static std::vector<int64_t> with_last(const at::Tensor &tensor, int64_t size) {
    auto shape = tensor.sizes().vec();
    shape.back() = size;
    return shape;
  }
};

}  // namespace

int ct_linear(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor bias, ct_tensor residual) {
  return make(out, [&] {
    const at::Tensor &input = x->value, &matrix = weight->value;
    std::optional<at::Tensor> shift, rest;
    if (bias) shift = bias->value;
    if (residual) rest = residual->value;
    auto fits = [&](const std::optional<at::Tensor> &other) {
      return !other || other->scalar_type() == input.scalar_type();
    };
    if (is_supported(input) && (differentiable(input) || differentiable(matrix)) && input.dim() > 1 &&
        input.numel() > 0 && fits(matrix) && fits(shift) && fits(rest)) {
      int64_t outputs = matrix.size(0), size = input.size(-1);
      TORCH_CHECK(matrix.dim() == 2 && matrix.size(1) == size &&
                      (!shift || (shift->dim() == 1 && shift->size(0) == outputs)) &&
                      (!rest || (rest->size(-1) == outputs && rest->numel() * size == input.numel() * outputs)),
                  "linear map of ", input.sizes(), " by a weight of ", matrix.sizes());
      return Linear::apply(input, matrix, shift, rest);
    }
    at::Tensor summand = shift.value_or(at::Tensor());
    at::Tensor y = supports_skinny_gemm(input, matrix, summand) ? skinny_linear(input, matrix, summand)
                                                                : at::linear(input, matrix, shift);
    return rest ? y + *rest : y;
  });
}
