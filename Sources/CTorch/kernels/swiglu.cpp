// silu(gate)·up, without storing silu(gate) for the backward pass. A second form takes gate and up as the two halves of
// one tensor, the output of a single linear layer, without splitting it, and adds that layer's bias.

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
INLINE void multiply(T *y, const T *gate, const T *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) store(y[i], silu(load(gate[i])) * load(up[i]));
}

template <typename T>
INLINE void differentiate(T *dgate, T *dup, const T *dy, const T *gate, const T *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float g = load(gate[i]), d = load(dy[i]), s = sigmoid(g);
    store(dup[i], d * g * s);
    store(dgate[i], silu_gradient(d * load(up[i]), g, s));
  }
}

constexpr int64_t kGrain = 4096;

struct SwiGLU : torch::autograd::Function<SwiGLU> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &gate_, const at::Tensor &up_) {
    at::Tensor gate = gate_.contiguous(), up = up_.contiguous(), y = at::empty_like(gate);
    with_element(gate, [&]<typename T>() {
      parallel_for(gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
        vectorized<multiply<T>>(data<T>(y) + begin, data<T>(gate) + begin, data<T>(up) + begin, end - begin);
      });
    });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    at::Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(gate), dup = at::empty_like(up);
    with_element(gate, [&]<typename T>() {
      parallel_for(gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
        vectorized<differentiate<T>>(data<T>(dgate) + begin, data<T>(dup) + begin, data<T>(dy) + begin,
                                     data<T>(gate) + begin, data<T>(up) + begin, end - begin);
      });
    });
    return {dgate, dup};
  }
};

// The same for a row of [gate, up] with a bias, whose gradient is added to dbias.
template <typename T>
INLINE void multiply_biased(T *y, const T *row, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    float gate = load(row[i]) + load(bias[i]), up = load(row[size + i]) + load(bias[size + i]);
    store(y[i], silu(gate) * up);
  }
}

template <typename T>
INLINE void differentiate_biased(T *dx, float *dbias, const T *dy, const T *row, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    float g = load(row[i]) + load(bias[i]), up = load(row[size + i]) + load(bias[size + i]), d = load(dy[i]);
    float s = sigmoid(g), dup = d * g * s, dgate = silu_gradient(d * up, g, s);
    store(dx[i], dgate);
    store(dx[size + i], dup);
    dbias[i] += dgate;
    dbias[size + i] += dup;
  }
}

// Gate and up in one tensor with rows of [gate, up]; its gradient is one tensor as well.
struct SwiGLUHalves : torch::autograd::Function<SwiGLUHalves> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &shift) {
    at::Tensor x = input.contiguous(), bias = shift.contiguous();
    auto shape = x.sizes().vec();
    int64_t size = shape.back() /= 2, rows = size > 0 ? x.numel() / (2 * size) : 0;
    at::Tensor y = at::empty(shape, x.options());
    with_element(x, [&]<typename T>() {
      for_rows(rows, [&](int64_t row) {
        vectorized<multiply_biased<T>>(data<T>(y) + row * size, data<T>(x) + row * 2 * size, data<T>(bias), size);
      });
    });
    context->save_for_backward({x, bias});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1];
    at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    int64_t size = x.size(-1) / 2, rows = size > 0 ? x.numel() / (2 * size) : 0;
    at::Tensor sums = at::zeros({kSlices, 2 * size}, at::kFloat);
    with_element(x, [&]<typename T>() {
      for_rows_in_slices(rows, [&](int64_t slice, int64_t row) {
        vectorized<differentiate_biased<T>>(data<T>(dx) + row * 2 * size, data<float>(sums) + slice * 2 * size,
                                            data<T>(dy) + row * size, data<T>(x) + row * 2 * size, data<T>(bias), size);
      });
    });
    return {dx, sums.sum(0).to(bias.scalar_type())};
  }
};

}  // namespace

int ct_swiglu_halves(ct_tensor *out, ct_tensor x, ct_tensor bias) {
  return make(out, [&] {
    const at::Tensor &input = x->value, &shift = bias->value;
    TORCH_CHECK(input.dim() > 0 && input.size(-1) % 2 == 0 && shift.dim() == 1 && shift.size(0) == input.size(-1),
                "SwiGLU of the halves of ", input.sizes(), " with a bias of ", shift.sizes());
    if (is_supported(input) && shift.scalar_type() == input.scalar_type()) return SwiGLUHalves::apply(input, shift);
    auto halves = (input + shift).chunk(2, -1);
    return at::silu(halves[0]) * halves[1];
  });
}

int ct_swiglu(ct_tensor *out, ct_tensor gate, ct_tensor up) {
  return make(out, [&] {
    const at::Tensor &a = gate->value, &b = up->value;
    TORCH_CHECK(a.sizes() == b.sizes(), "SwiGLU of ", a.sizes(), " and ", b.sizes());
    if (is_supported(a) && a.scalar_type() == b.scalar_type()) return SwiGLU::apply(a, b);
    return at::silu(a) * b;
  });
}
