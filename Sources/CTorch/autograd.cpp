// Gradients.

#include <c10/core/GradMode.h>

#include "support.h"

using namespace ctorch;

bool ct_requires_grad(ct_tensor tensor) { return tensor->value.requires_grad(); }

int ct_set_requires_grad(ct_tensor tensor, bool value) {
  return guard([&] { tensor->value.set_requires_grad(value); });
}

int ct_detach(ct_tensor *out, ct_tensor tensor) {
  return make(out, [&] { return tensor->value.detach(); });
}

int ct_grad(ct_tensor *out, ct_tensor tensor) {
  return guard([&] {
    const at::Tensor &grad = tensor->value.grad();
    *out = grad.defined() ? own(grad) : nullptr;
  });
}

int ct_set_grad(ct_tensor tensor, ct_tensor grad) {
  return guard([&] { tensor->value.mutable_grad() = grad ? grad->value : at::Tensor(); });
}

int ct_backward(ct_tensor tensor, ct_tensor grad) {
  return guard([&] { tensor->value.backward(grad ? grad->value : at::Tensor()); });
}

bool ct_grad_mode(void) { return c10::GradMode::is_enabled(); }

void ct_set_grad_mode(bool enabled) { c10::GradMode::set_enabled(enabled); }
