// Counts the multiplications of matrix products at run time.

// at::RecordFunction has one more member without NDEBUG, which a libtorch built with NDEBUG does not initialize.
#ifndef NDEBUG
#define NDEBUG
#endif

#include <ATen/record_function.h>

#include <cstring>

#include "support.h"

using namespace ctorch;

namespace {

thread_local at::CallbackHandle callback = at::INVALID_CALLBACK_HANDLE;
thread_local int64_t multiplications = 0;

// The elements of the first matrix (or batch of matrices), each of which is multiplied by every column of the second.
int64_t product(const at::Tensor &first, const at::Tensor &second) { return first.numel() * second.size(-1); }

std::unique_ptr<at::ObserverContext> record(const at::RecordFunction &function) {
  const char *name = function.name();
  auto inputs = function.inputs();
  auto tensor = [&](size_t index) { return inputs[index].toTensor(); };
  if (!std::strcmp(name, "aten::mm") || !std::strcmp(name, "aten::bmm")) {
    multiplications += product(tensor(0), tensor(1));
  } else if (!std::strcmp(name, "aten::addmm") || !std::strcmp(name, "aten::baddbmm")) {
    multiplications += product(tensor(1), tensor(2));
  } else if (!std::strcmp(name, "aten::_scaled_dot_product_flash_attention_for_cpu")) {
    // Queries with all keys, and the weights with all values: [batch, heads, length, size].
    multiplications += 2 * tensor(0).numel() * tensor(1).size(-2);
  } else if (!std::strcmp(name, "aten::_scaled_dot_product_flash_attention_for_cpu_backward")) {
    // Twice the forward pass, plus the weights once more.
    multiplications += 5 * tensor(1).numel() * tensor(2).size(-2);
  }
  return nullptr;
}

}  // namespace

int ct_begin_counting(void) {
  return guard([] {
    TORCH_CHECK(callback == at::INVALID_CALLBACK_HANDLE, "multiplications are being counted already");
    multiplications = 0;
    callback = at::addThreadLocalCallback(
        at::RecordFunctionCallback(record).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  });
}

int64_t ct_end_counting(void) {
  at::removeCallback(callback);
  callback = at::INVALID_CALLBACK_HANDLE;
  return multiplications;
}
