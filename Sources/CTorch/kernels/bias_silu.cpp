// silu(x + shared), where all samples of x share the summand, and silu(x + bias), where all rows share it, as after
// each product in the blocks of the energy head.
//
// Neither the broadcast sum nor its copy for the backward pass is stored, and the bias's gradient is summed in the same
// pass as the input's gradient.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

template <typename T>
INLINE void activate(T *y, const T *x, const T *shared, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float sum = load(x[i]) + load(shared[i]);
    store(y[i], sum / (1.0f + exponential(-sum)));
  }
}

template <typename T>
INLINE void differentiate(T *dx, float *dshared, const T *dy, const T *x, const T *shared, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float sum = load(x[i]) + load(shared[i]), sigmoid = 1.0f / (1.0f + exponential(-sum));
    float gradient = load(dy[i]) * sigmoid * (1.0f + sum * (1.0f - sigmoid));
    store(dx[i], gradient);
    dshared[i] += gradient;
  }
}

// silu(input + summand), whose rows repeat until every row of the input has one; a bias is a single row.
at::Tensor activated(AutogradContext *context, const at::Tensor &input, const at::Tensor &summand) {
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

struct SharedBiasSiLU : torch::autograd::Function<SharedBiasSiLU> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &summand) {
    return activated(context, input, summand);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &shared = saved[1];
    at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x), dshared = at::zeros(shared.sizes(), at::kFloat);
    int64_t samples = x.size(0), rows = x.size(1), size = x.size(2);
    with_element(x, [&]<typename T>() {
      // By rows, so that a thread owns the sums over samples of its rows.
      parallel_for(rows, 4, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          for (int64_t sample = 0; sample < samples; ++sample) {
            int64_t place = (sample * rows + row) * size;
            vectorized<differentiate<T>>(data<T>(dx) + place, data<float>(dshared) + row * size, data<T>(dy) + place,
                                         data<T>(x) + place, data<T>(shared) + row * size, size);
          }
      });
    });
    return {dx, dshared.to(shared.scalar_type())};
  }
};

struct BiasSiLU : torch::autograd::Function<BiasSiLU> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &bias) {
    return activated(context, input, bias);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &shift = saved[1];
    int64_t size = x.size(-1), rows = x.numel() / std::max<int64_t>(1, size);
    at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x), sums = at::zeros({kSlices, size}, at::kFloat);
    with_element(x, [&]<typename T>() {
      for_rows_in_slices(rows, [&](int64_t slice, int64_t row) {
        vectorized<differentiate<T>>(data<T>(dx) + row * size, data<float>(sums) + slice * size,
                                     data<T>(dy) + row * size, data<T>(x) + row * size, data<T>(shift), size);
      });
    });
    return {dx, sums.sum(0).to(shift.scalar_type())};
  }
};

}  // namespace

int ct_bias_silu(ct_tensor *out, ct_tensor x, ct_tensor shared) {
  return make(out, [&] {
    const at::Tensor &input = x->value, &summand = shared->value;
    bool is_bias = summand.dim() == 1 && input.dim() > 0 && input.size(-1) == summand.size(0);
    TORCH_CHECK(is_bias || (input.dim() == 3 && summand.dim() == 2 && input.size(1) == summand.size(0) &&
                            input.size(2) == summand.size(1)),
                "silu of the sum of ", input.sizes(), " and ", summand.sizes());
    if (is_supported(input) && input.scalar_type() == summand.scalar_type())
      return is_bias ? BiasSiLU::apply(input, summand) : SharedBiasSiLU::apply(input, summand);
    return at::silu(input + summand);
  });
}
