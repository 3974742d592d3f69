// Neural functions that libtorch has already.

#include "support.h"

using namespace ctorch;

int ct_matmul(ct_tensor *out, ct_tensor a, ct_tensor b) {
  return make(out, [&] { return at::matmul(a->value, b->value); });
}

namespace {

std::optional<at::Tensor> optional(ct_tensor tensor) {
  return tensor ? std::optional<at::Tensor>(tensor->value) : std::nullopt;
}

}  // namespace

int ct_linear(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor bias) {
  return make(out, [&] { return at::linear(x->value, weight->value, optional(bias)); });
}

int ct_embedding(ct_tensor *out, ct_tensor weight, ct_tensor ids, int64_t padding) {
  return make(out, [&] { return at::embedding(weight->value, ids->value, padding); });
}

int ct_layer_norm(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor bias, double epsilon) {
  return make(out, [&] {
    return at::layer_norm(x->value, x->value.sizes().slice(x->value.dim() - 1), optional(weight), optional(bias), epsilon);
  });
}

int ct_silu(ct_tensor *out, ct_tensor x) {
  return make(out, [&] { return at::silu(x->value); });
}

int ct_softmax(ct_tensor *out, ct_tensor x, int64_t dim) {
  return make(out, [&] { return at::softmax(x->value, dim); });
}

int ct_log_softmax(ct_tensor *out, ct_tensor x, int64_t dim) {
  return make(out, [&] { return at::log_softmax(x->value, dim); });
}

int ct_attention(ct_tensor *out, ct_tensor query, ct_tensor key, ct_tensor value, bool causal) {
  return make(out, [&] {
    return at::scaled_dot_product_attention(query->value, key->value, value->value, std::nullopt, 0.0, causal,
                                            std::nullopt, query->value.size(1) != key->value.size(1));
  });
}
