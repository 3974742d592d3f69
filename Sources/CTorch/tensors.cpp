// Creation, properties and copies of tensors.

#include <ATen/ATen.h>

#include <cstring>

#include "support.h"

using namespace ctorch;

int ct_empty(ct_tensor *out, const int64_t *shape, int rank, ct_dtype dtype, ct_device device) {
  return make(out, [&] { return at::empty(ints(shape, rank), options(dtype, device)); });
}

int ct_full(ct_tensor *out, const int64_t *shape, int rank, double value, ct_dtype dtype, ct_device device) {
  return make(out, [&] { return at::full(ints(shape, rank), value, options(dtype, device)); });
}

int ct_arange(ct_tensor *out, int64_t start, int64_t end, ct_dtype dtype, ct_device device) {
  return make(out, [&] { return at::arange(start, end, options(dtype, device)); });
}

int ct_from_bytes(ct_tensor *out, const void *data, size_t bytes, const int64_t *shape, int rank, ct_dtype dtype,
                  ct_device device) {
  return make(out, [&] {
    at::Tensor tensor = at::empty(ints(shape, rank), options(dtype, {CT_CPU, 0}));
    TORCH_CHECK(tensor.nbytes() == bytes, "a tensor of shape ", tensor.sizes(), " has ", tensor.nbytes(),
                " bytes, but ", bytes, " were given");
    if (bytes > 0) std::memcpy(tensor.data_ptr(), data, bytes);
    return tensor.to(ctorch::device(device));
  });
}

int ct_to_bytes(ct_tensor tensor, void *data, size_t bytes) {
  return guard([&] {
    at::Tensor source = tensor->value.detach().to(at::kCPU).contiguous();
    TORCH_CHECK(source.nbytes() == bytes, "the tensor has ", source.nbytes(), " bytes, but room for ", bytes);
    if (bytes > 0) std::memcpy(data, source.data_ptr(), bytes);
  });
}

int ct_data(void **out, ct_tensor tensor) {
  return guard([&] {
    TORCH_CHECK(tensor->value.device().is_cpu() && tensor->value.is_contiguous(),
                "only a contiguous tensor on the CPU has a plain address");
    *out = tensor->value.data_ptr();
  });
}

int ct_is_same(ct_tensor tensor, ct_tensor other) {
  const at::Tensor &a = tensor->value, &b = other->value;
  return a.is_alias_of(b) && a.storage_offset() == b.storage_offset() && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.scalar_type() == b.scalar_type();
}

int64_t ct_changes(ct_tensor tensor) { return tensor->value._version(); }

void ct_note_change(ct_tensor tensor) { tensor->value.unsafeGetTensorImpl()->bump_version(); }

void ct_tensor_free(ct_tensor tensor) { delete tensor; }

int ct_rank(ct_tensor tensor) { return static_cast<int>(tensor->value.dim()); }

void ct_shape(ct_tensor tensor, int64_t *out) {
  auto sizes = tensor->value.sizes();
  std::copy(sizes.begin(), sizes.end(), out);
}

ct_dtype ct_tensor_dtype(ct_tensor tensor) { return static_cast<ct_dtype>(tensor->value.scalar_type()); }

ct_device ct_tensor_device(ct_tensor tensor) {
  auto device = tensor->value.device();
  return {static_cast<ct_device_type>(device.type()), std::max<int32_t>(device.index(), 0)};
}

bool ct_is_contiguous(ct_tensor tensor) { return tensor->value.is_contiguous(); }

bool ct_same_storage(ct_tensor a, ct_tensor b) { return a->value.is_alias_of(b->value); }

int ct_to(ct_tensor *out, ct_tensor x, ct_dtype dtype, ct_device device) {
  return make(out, [&] { return x->value.to(ctorch::device(device), static_cast<c10::ScalarType>(dtype)); });
}

int ct_contiguous(ct_tensor *out, ct_tensor x) {
  return make(out, [&] { return x->value.contiguous(); });
}

int ct_clone(ct_tensor *out, ct_tensor x) {
  return make(out, [&] { return x->value.clone(); });
}

int ct_share(ct_tensor *out, ct_tensor x) {
  return make(out, [&] { return x->value; });
}

int ct_copy_(ct_tensor destination, ct_tensor source) {
  return guard([&] { destination->value.copy_(source->value); });
}

int ct_fill_(ct_tensor tensor, double value) {
  return guard([&] { tensor->value.fill_(value); });
}
