// softmax(query·keyᵀ / √size)·value for sequences short enough to store the weights of all pairs.
//
// libtorch's fused attention does not store them, so it multiplies in small blocks, with one call of the matrix library
// for each head and block. With 64 positions per head, these calls cost ten times as much as their arithmetic. Here all
// heads are one batched product, and the softmax and its gradient are one pass over the weights, in place.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The longest sequence for which it is faster to compute all weights, [batch · heads, length, length], although half of
// them are zeros. In float32 the products cost more, so the limit is lower.
int64_t longest(c10::ScalarType type) { return type == at::kFloat ? 128 : 512; }

// The positions to which a row attends: [begin, end).
struct Span {
  int64_t begin, end;
};

// Replaces the products of the attended positions with their softmax, and the others with zeros.
template <typename T>
INLINE void soften(T *row, Span seen, int64_t length, float scale) {
  ANY_ORDER
  float top = largest(row + seen.begin, seen.end - seen.begin), sum = 0;
  for (int64_t i = seen.begin; i < seen.end; ++i) sum += exponential((load(row[i]) - top) * scale);
  float inverse = 1.0f / sum;
  for (int64_t i = 0; i < seen.begin; ++i) store(row[i], 0.0f);
  for (int64_t i = seen.begin; i < seen.end; ++i) store(row[i], exponential((load(row[i]) - top) * scale) * inverse);
  for (int64_t i = seen.end; i < length; ++i) store(row[i], 0.0f);
}

// Converts a row of gradients of the weights into gradients of the products: scale · w·(g − Σ g·w).
template <typename T>
INLINE void differentiate(T *gradient, const T *weights, Span seen, int64_t length, float scale) {
  ANY_ORDER
  float sum = 0;
  for (int64_t i = seen.begin; i < seen.end; ++i) sum += load(gradient[i]) * load(weights[i]);
  for (int64_t i = 0; i < seen.begin; ++i) store(gradient[i], 0.0f);
  for (int64_t i = seen.begin; i < seen.end; ++i)
    store(gradient[i], scale * load(weights[i]) * (load(gradient[i]) - sum));
  for (int64_t i = seen.end; i < length; ++i) store(gradient[i], 0.0f);
}

// [batch, heads, length, size] → [batch · heads, length, size].
at::Tensor flattened(const at::Tensor &x) { return x.contiguous().view({-1, x.size(2), x.size(3)}); }

// The positions to which each row of [batch · heads, length] attends: all, those up to its own, or those from `first`,
// [batch, length], up to its own.
struct Sight {
  int64_t length, heads;
  bool causal;
  const int64_t *first;

  Sight(const at::Tensor &first, bool causal, int64_t length, int64_t heads)
      : length(length), heads(heads), causal(causal), first(first.defined() ? first.data_ptr<int64_t>() : nullptr) {}

  Span operator()(int64_t row) const {
    int64_t place = row % length;
    int64_t begin = first ? first[row / length / heads * length + place] : 0;
    return {begin, causal ? place + 1 : length};
  }
};

struct ShortAttention : torch::autograd::Function<ShortAttention> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &query, const at::Tensor &key,
                            const at::Tensor &value, bool causal, const std::optional<at::Tensor> &first) {
    at::Tensor q = flattened(query), k = flattened(key), v = flattened(value);
    int64_t length = q.size(1);
    float scale = 1.0f / std::sqrt(static_cast<float>(q.size(2)));
    at::Tensor begin = first.value_or(at::Tensor());
    Sight sight(begin, causal, length, query.size(1));
    at::Tensor weights = at::bmm(q, k.transpose(1, 2));
    with_element(weights, [&]<typename T>() {
      for_rows(q.size(0) * length,
               [&](int64_t row) { vectorized<soften<T>>(data<T>(weights) + row * length, sight(row), length, scale); });
    });
    context->save_for_backward({q, k, v, weights, begin});
    context->saved_data["causal"] = causal;
    return at::bmm(weights, v).view(query.sizes());
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &weights = saved[3];
    bool causal = context->saved_data["causal"].toBool();
    int64_t length = q.size(1);
    float scale = 1.0f / std::sqrt(static_cast<float>(q.size(2)));
    Sight sight(saved[4], causal, length, gradients[0].size(1));
    at::Tensor g = flattened(gradients[0]), products = at::bmm(g, v.transpose(1, 2));
    with_element(products, [&]<typename T>() {
      for_rows(q.size(0) * length, [&](int64_t row) {
        vectorized<differentiate<T>>(data<T>(products) + row * length, data<T>(weights) + row * length, sight(row),
                                     length, scale);
      });
    });
    auto shape = gradients[0].sizes();
    return {at::bmm(products, k).view(shape), at::bmm(products.transpose(1, 2), q).view(shape),
            at::bmm(weights.transpose(1, 2), g).view(shape), at::Tensor(), at::Tensor()};
  }
};

// For libtorch's attention: true where a query, one of the last positions of the keys, attends to a key,
// [queries, keys], or with `first`, [batch, queries], [batch, 1, queries, keys].
at::Tensor mask(int64_t queries, int64_t keys, const std::optional<at::Tensor> &first, const at::Tensor &like) {
  at::Tensor places = at::arange(keys, like.options().dtype(at::kLong));
  at::Tensor causal = places.le(places.slice(0, keys - queries).unsqueeze(1));
  return first ? (places.ge(first->unsqueeze(2)) & causal).unsqueeze(1) : causal;
}

}  // namespace

int ct_attention(ct_tensor *out, ct_tensor query, ct_tensor key, ct_tensor value, bool causal, ct_tensor first) {
  return make(out, [&]() -> at::Tensor {
    const at::Tensor &q = query->value, &k = key->value, &v = value->value;
    bool is_short = is_supported(q) && q.dim() == 4 && q.sizes() == k.sizes() && q.sizes() == v.sizes() &&
                    q.scalar_type() == k.scalar_type() && q.scalar_type() == v.scalar_type() && q.numel() > 0 &&
                    q.size(2) > 1 && q.size(2) <= longest(q.scalar_type());
    std::optional<at::Tensor> begin;
    if (first) begin = first->value.contiguous();
    if (is_short) return ShortAttention::apply(q, k, v, causal, begin);
    bool is_shared = q.size(1) != k.size(1);
    bool is_part = causal && q.size(2) < k.size(2);
    if (!first && !is_part)
      return at::scaled_dot_product_attention(q, k, v, std::nullopt, 0.0, causal, std::nullopt, is_shared);
    return at::scaled_dot_product_attention(q, k, v, mask(q.size(2), k.size(2), begin, q), 0.0, false, std::nullopt,
                                            is_shared);
  });
}
