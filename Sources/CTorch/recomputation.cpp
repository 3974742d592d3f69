// Gradient checkpointing: the backward pass recomputes the intermediate values of a part of a network.

#include <torch/csrc/autograd/custom_function.h>

#include <memory>

#include "support.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The caller's function and its context, which exists as long as the graph that may run it.
struct Part : torch::CustomClassHolder {
  ct_part function;
  void *context;
  void (*end)(void *);

  Part(ct_part function, void *context, void (*end)(void *)) : function(function), context(context), end(end) {}
  ~Part() override { end(context); }

  at::Tensor operator()(const at::Tensor &x) const {
    ct_tensor result = nullptr;
    TORCH_CHECK(function(&result, own(x), context) == 0, "a recomputed part failed: ", ct_last_error());
    std::unique_ptr<ct_tensor_handle> owner(result);
    return owner->value;
  }
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const c10::intrusive_ptr<Part> &part) {
    context->save_for_backward({x});
    context->saved_data["part"] = c10::IValue::make_capsule(part);
    return (*part)(x);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    at::Tensor x = context->get_saved_variables()[0].detach().set_requires_grad(true);
    auto part = c10::static_intrusive_pointer_cast<Part>(context->saved_data["part"].toCapsule());
    at::Tensor y;
    {
      at::AutoGradMode recording(true);
      y = (*part)(x);
    }
    y.backward(gradients[0]);
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

int ct_recomputed(ct_tensor *out, ct_tensor x, ct_part function, void *context, void (*release)(void *)) {
  return make(out, [&] {
    auto part = c10::make_intrusive<Part>(function, context, release);
    return differentiable(x->value) ? Recomputed::apply(x->value, part) : (*part)(x->value);
  });
}
