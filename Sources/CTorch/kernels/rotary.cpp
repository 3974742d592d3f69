// Rotary position embedding (Su et al., 2021) in the half-split order of Llama: entry i is rotated with entry i + d/2.
//
// One pass over queries or keys. libtorch's operations would split, negate, concatenate, multiply twice and add, each
// with a tensor of its own.

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
INLINE void rotate(T *y, const T *x, const float *cosine, const float *sine, int64_t heads, int64_t half, float sign) {
  for (int64_t head = 0; head < heads; ++head, x += 2 * half, y += 2 * half)
    for (int64_t i = 0; i < half; ++i) {
      float a = load(x[i]), b = load(x[i + half]), s = sign * sine[i];
      store(y[i], a * cosine[i] - b * s);
      store(y[i + half], b * cosine[i] + a * s);
    }
}

// input: [batch, length, heads, size]. A sign of −1 inverts the rotation, which is also its gradient.
at::Tensor turn(const at::Tensor &input, const at::Tensor &cosine, const at::Tensor &sine, float sign) {
  at::Tensor x = input.contiguous(), y = at::empty_like(x);
  int64_t length = x.size(1), heads = x.size(2), size = x.size(3);
  with_element(x, [&]<typename T>() {
    for_rows(x.size(0) * length, [&](int64_t row) {
      int64_t place = row * heads * size, angle = row % length * (size / 2);
      vectorized<rotate<T>>(data<T>(y) + place, data<T>(x) + place, data<float>(cosine) + angle,
                            data<float>(sine) + angle, heads, size / 2, sign);
    });
  });
  return y;
}

struct Rotary : torch::autograd::Function<Rotary> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &cosine,
                            const at::Tensor &sine) {
    context->save_for_backward({cosine, sine});
    return turn(x, cosine, sine, 1);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    return {turn(gradients[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

int ct_rotary(ct_tensor *out, ct_tensor x, ct_tensor cosine, ct_tensor sine) {
  return make(out, [&] {
    const at::Tensor &input = x->value;
    at::Tensor c = cosine->value.contiguous(), s = sine->value.contiguous();
    TORCH_CHECK(input.dim() == 4 && input.size(3) % 2 == 0 && c.dim() == 2 && c.size(0) == input.size(1) &&
                    c.size(1) * 2 == input.size(3) && s.sizes() == c.sizes() && c.scalar_type() == at::kFloat,
                "rotary embedding of ", input.sizes(), " with angles of ", c.sizes());
    if (is_supported(input)) return Rotary::apply(input, c, s);
    c = c.unsqueeze(1), s = s.unsqueeze(1);
    auto halves = input.to(at::kFloat).chunk(2, -1);
    return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1).to(input.scalar_type());
  });
}
