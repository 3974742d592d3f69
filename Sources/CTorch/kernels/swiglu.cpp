// silu(gate)·up, the gate of a SwiGLU layer, without keeping silu(gate) for the backward pass; and the same where gate
// and up are the two halves of one tensor, as a single linear layer makes them, without cutting it apart.

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
  for (int64_t i = 0; i < count; ++i) {
    float g = load(gate[i]);
    store(y[i], g / (1.0f + exponential(-g)) * load(up[i]));
  }
}

template <typename T>
INLINE void differentiate(T *dgate, T *dup, const T *dy, const T *gate, const T *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float g = load(gate[i]), d = load(dy[i]), sigmoid = 1.0f / (1.0f + exponential(-g));
    store(dup[i], d * g * sigmoid);
    store(dgate[i], d * load(up[i]) * sigmoid * (1.0f + g * (1.0f - sigmoid)));
  }
}

VECTORIZED void multiply_all(float *y, const float *gate, const float *up, int64_t count) {
  multiply(y, gate, up, count);
}
VECTORIZED void multiply_all(bf16 *y, const bf16 *gate, const bf16 *up, int64_t count) {
  multiply(y, gate, up, count);
}
VECTORIZED void differentiate_all(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
                                  int64_t count) {
  differentiate(dgate, dup, dy, gate, up, count);
}
VECTORIZED void differentiate_all(bf16 *dgate, bf16 *dup, const bf16 *dy, const bf16 *gate, const bf16 *up,
                                  int64_t count) {
  differentiate(dgate, dup, dy, gate, up, count);
}

constexpr int64_t grain = 4096;

struct SwiGLU : torch::autograd::Function<SwiGLU> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &gate_, const at::Tensor &up_) {
    at::Tensor gate = gate_.contiguous(), up = up_.contiguous(), y = at::empty_like(gate);
    with_element(gate, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      parallel_for(gate.numel(), grain, [&](int64_t begin, int64_t end) {
        multiply_all(data<T>(y) + begin, data<T>(gate) + begin, data<T>(up) + begin, end - begin);
      });
    });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &gate = saved[0], &up = saved[1];
    at::Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(gate), dup = at::empty_like(up);
    with_element(gate, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      parallel_for(gate.numel(), grain, [&](int64_t begin, int64_t end) {
        differentiate_all(data<T>(dgate) + begin, data<T>(dup) + begin, data<T>(dy) + begin, data<T>(gate) + begin,
                          data<T>(up) + begin, end - begin);
      });
    });
    return {dgate, dup};
  }
};

// Both in one tensor, rows of [gate, up]; its gradient is written in one piece too.
struct SwiGLUHalves : torch::autograd::Function<SwiGLUHalves> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input) {
    at::Tensor x = input.contiguous();
    auto shape = x.sizes().vec();
    int64_t size = shape.back() /= 2, rows = size > 0 ? x.numel() / (2 * size) : 0;
    at::Tensor y = at::empty(shape, x.options());
    with_element(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const T *gate = data<T>(x) + row * 2 * size;
          multiply_all(data<T>(y) + row * size, gate, gate + size, size);
        }
      });
    });
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    int64_t size = x.size(-1) / 2, rows = size > 0 ? x.numel() / (2 * size) : 0;
    with_element(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          int64_t place = row * 2 * size;
          differentiate_all(data<T>(dx) + place, data<T>(dx) + place + size, data<T>(dy) + row * size,
                            data<T>(x) + place, data<T>(x) + place + size, size);
        }
      });
    });
    return {dx};
  }
};

}  // namespace

int ct_swiglu_halves(ct_tensor *out, ct_tensor x) {
  return make(out, [&] {
    const at::Tensor &input = x->value;
    TORCH_CHECK(input.dim() > 0 && input.size(-1) % 2 == 0, "SwiGLU of the halves of ", input.sizes());
    if (served(input)) return SwiGLUHalves::apply(input);
    auto halves = input.chunk(2, -1);
    return at::silu(halves[0]) * halves[1];
  });
}

int ct_swiglu(ct_tensor *out, ct_tensor gate, ct_tensor up) {
  return make(out, [&] {
    const at::Tensor &a = gate->value, &b = up->value;
    TORCH_CHECK(a.sizes() == b.sizes(), "SwiGLU of ", a.sizes(), " and ", b.sizes());
    if (served(a) && a.scalar_type() == b.scalar_type()) return SwiGLU::apply(a, b);
    return at::silu(a) * b;
  });
}
