// RMSNorm: y = x / √(mean(x²) + ε) · weight, in one pass forward and one backward.
//
// libtorch's operations would read and write the rows about eight times. The rows of a model are narrow enough to stay
// in the L1 cache between the loops here.

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
INLINE void normalize(T *y, float *inverse, const T *x, const T *weight, int64_t rows, int64_t size, float epsilon) {
  ANY_ORDER
  for (int64_t row = 0; row < rows; ++row, x += size, y += size) {
    float sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += load(x[i]) * load(x[i]);
    float r = 1.0f / std::sqrt(sum / static_cast<float>(size) + epsilon);
    inverse[row] = r;
    for (int64_t i = 0; i < size; ++i) store(y[i], load(x[i]) * r * load(weight[i]));
  }
}

// dx = r·(g·w) − x·r³·mean(g·w·x); dw += g·x·r
template <typename T>
INLINE void differentiate(T *dx, float *dw, const T *g, const T *x, const T *weight, const float *inverse, int64_t rows,
                          int64_t size) {
  ANY_ORDER
  for (int64_t row = 0; row < rows; ++row, x += size, g += size, dx += size) {
    float r = inverse[row], sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += load(g[i]) * load(weight[i]) * load(x[i]);
    float shrink = sum * r * r * r / static_cast<float>(size);
    for (int64_t i = 0; i < size; ++i) {
      float gradient = load(g[i]), value = load(x[i]);
      dw[i] += gradient * value * r;
      store(dx[i], gradient * load(weight[i]) * r - value * shrink);
    }
  }
}

struct RMSNorm : torch::autograd::Function<RMSNorm> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &input, const at::Tensor &weight,
                            double epsilon) {
    at::Tensor x = input.contiguous(), y = at::empty_like(x);
    int64_t size = x.size(-1), rows = size > 0 ? x.numel() / size : 0;
    at::Tensor inverse = at::empty({rows}, at::kFloat);
    with_element(x, [&]<typename T>() {
      parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
        vectorized<normalize<T>>(data<T>(y) + begin * size, data<float>(inverse) + begin, data<T>(x) + begin * size,
                                 data<T>(weight), end - begin, size, static_cast<float>(epsilon));
      });
    });
    context->save_for_backward({x, weight, inverse});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    at::Tensor g = gradients[0].contiguous(), dx = at::empty_like(x);
    int64_t size = x.size(-1), rows = size > 0 ? x.numel() / size : 0;
    at::Tensor dw = at::zeros({kSlices, size}, at::kFloat);
    with_element(x, [&]<typename T>() {
      in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
        vectorized<differentiate<T>>(data<T>(dx) + begin * size, data<float>(dw) + slice * size,
                                     data<T>(g) + begin * size, data<T>(x) + begin * size, data<T>(weight),
                                     data<float>(inverse) + begin, end - begin, size);
      });
    });
    return {dx, dw.sum(0).to(weight.scalar_type()), at::Tensor()};
  }
};

}  // namespace

int ct_rms_norm(ct_tensor *out, ct_tensor x, ct_tensor weight, double epsilon) {
  return make(out, [&] {
    const at::Tensor &input = x->value, &scale = weight->value;
    TORCH_CHECK(scale.dim() == 1 && input.dim() > 0 && input.size(-1) == scale.size(0), "RMSNorm of ", input.sizes(),
                " with a weight of ", scale.sizes());
    if (is_supported(input) && input.scalar_type() == scale.scalar_type())
      return RMSNorm::apply(input, scale.contiguous(), epsilon);
    at::Tensor wide = input.to(at::kFloat);
    at::Tensor normal = wide * at::rsqrt(wide.square().mean(-1, true) + epsilon);
    return normal.to(input.scalar_type()) * scale;
  });
}
