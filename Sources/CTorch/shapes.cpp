// Views, shapes and indexing.

#include <ATen/ATen.h>

#include "support.h"

using namespace ctorch;

namespace {

std::vector<at::Tensor> values(const ct_tensor *tensors, int count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int i = 0; i < count; ++i) list.push_back(tensors[i]->value);
  return list;
}

}  // namespace

int ct_reshape(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank) {
  return make(out, [&] { return a->value.reshape(ints(shape, rank)); });
}

int ct_transpose(ct_tensor *out, ct_tensor a, int64_t dim0, int64_t dim1) {
  return make(out, [&] { return a->value.transpose(dim0, dim1); });
}

int ct_expand(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank) {
  return make(out, [&] { return a->value.expand(ints(shape, rank)); });
}

int ct_narrow(ct_tensor *out, ct_tensor a, int64_t dim, int64_t start, int64_t length) {
  return make(out, [&] { return a->value.narrow(dim, start, length); });
}

int ct_select(ct_tensor *out, ct_tensor a, int64_t dim, int64_t index) {
  return make(out, [&] { return a->value.select(dim, index); });
}

int ct_index_select(ct_tensor *out, ct_tensor a, int64_t dim, ct_tensor indices) {
  return make(out, [&] { return a->value.index_select(dim, indices->value); });
}

int ct_take_along(ct_tensor *out, ct_tensor a, ct_tensor indices) {
  return make(out, [&] {
    at::Tensor all = a->value, places = indices->value;
    while (all.dim() < places.dim()) all = all.unsqueeze(0);
    while (places.dim() < all.dim()) places = places.unsqueeze(0);
    return at::take_along_dim(all, places, -1);
  });
}

int ct_cat(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim) {
  return make(out, [&] { return at::cat(values(tensors, count), dim); });
}

int ct_stack(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim) {
  return make(out, [&] { return at::stack(values(tensors, count), dim); });
}

int ct_as_strided(ct_tensor *out, ct_tensor x, const int64_t *shape, const int64_t *strides, int rank) {
  return make(out, [&] { return x->value.as_strided(ints(shape, rank), ints(strides, rank)); });
}
