// silu(x + shared), where all samples of x share the summand, or all rows share a bias, as after each product in the
// blocks of the energy head.
//
// Neither the broadcast sum nor a copy for the backward pass is stored, and the gradient of the summand is computed in
// the same pass as that of the input.

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
INLINE void activate(T *y, const T *x, const T *shared, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], silu(load(x[i]) + load(shared[i])));
}

template <typename T>
INLINE void activate_row(T *y, const T *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], silu(load(x[i])));
}

template <typename T>
INLINE void differentiate(T *dx, float *dshared, const T *dy, const T *x, const T *shared, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float sum = load(x[i]) + load(shared[i]);
    float gradient = silu_gradient(load(dy[i]), sum, sigmoid(sum));
    store(dx[i], gradient);
    dshared[i] += gradient;
  }
}

// silu(input + summand). The rows of the summand repeat until every row of the input has one; a bias is a single row.
struct BiasSiLU : torch::autograd::Function<BiasSiLU> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &summand) {
    at::Tensor x = input.contiguous(), shared = summand.contiguous(), y = at::empty_like(x);
    int64_t size = x.size(-1), rows = x.numel() / std::max<int64_t>(1, size);
    int64_t period = shared.numel() / std::max<int64_t>(1, size);
    with_element(x, [&]<typename T>() {
      for_rows(rows, [&](int64_t row) {
        vectorized<activate<T>>(data<T>(y) + row * size, data<T>(x) + row * size, data<T>(shared) + row % period * size,
                                size);
      });
    });
    context->save_for_backward({x, shared});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &shared = saved[1];
    at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    int64_t size = x.size(-1), rows = x.numel() / std::max<int64_t>(1, size);
    int64_t period = shared.numel() / std::max<int64_t>(1, size);
    // A bias is summed over slices of rows, a summand with several rows over these rows.
    bool is_bias = shared.dim() == 1;
    at::Tensor sums = at::zeros({is_bias ? kSlices : period, size}, at::kFloat);
    with_element(x, [&]<typename T>() {
      auto step = [&](int64_t sum, int64_t row) {
        vectorized<differentiate<T>>(data<T>(dx) + row * size, data<float>(sums) + sum * size, data<T>(dy) + row * size,
                                     data<T>(x) + row * size, data<T>(shared) + row % period * size, size);
      };
      if (is_bias) return for_rows_in_slices(rows, step);
      // A thread owns the sums of its rows.
      parallel_for(period, 4, [&](int64_t begin, int64_t end) {
        for (int64_t first = begin; first < end; ++first)
          for (int64_t row = first; row < rows; row += period) step(first, row);
      });
    });
    return {dx, (is_bias ? sums.sum(0) : sums).to(shared.scalar_type())};
  }
};

}  // namespace

int ct_silu(ct_tensor *out, ct_tensor x) {
  return make(out, [&] {
    // libtorch's function computes the last elements of a thread's share in another way than the others.
    bool by_rows = keeps_rows_apart() && is_supported(x->value) && x->value.dim() > 0 && !differentiable(x->value);
    if (!by_rows) return at::silu(x->value);
    at::Tensor input = x->value.contiguous(), y = at::empty_like(input);
    int64_t size = input.size(-1), rows = input.numel() / std::max<int64_t>(1, size);
    with_element(input, [&]<typename T>() {
      for_rows(rows, [&](int64_t row) {
        vectorized<activate_row<T>>(data<T>(y) + row * size, data<T>(input) + row * size, size);
      });
    });
    return y;
  });
}

int ct_bias_silu(ct_tensor *out, ct_tensor x, ct_tensor shared) {
  return make(out, [&] {
    const at::Tensor &input = x->value, &summand = shared->value;
    bool is_bias = summand.dim() == 1 && input.dim() > 0 && input.size(-1) == summand.size(0);
    TORCH_CHECK(is_bias || (input.dim() == 3 && summand.dim() == 2 && input.size(1) == summand.size(0) &&
                            input.size(2) == summand.size(1)),
                "silu of the sum of ", input.sizes(), " and ", summand.sizes());
    if (is_supported(input) && input.scalar_type() == summand.scalar_type()) return BiasSiLU::apply(input, summand);
    return at::silu(input + summand);
  });
}
