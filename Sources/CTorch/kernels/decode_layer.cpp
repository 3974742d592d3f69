// A Transformer layer for one position of a few sequences: a step of generation.
//
// With libtorch's operations, a layer takes about thirty calls, each of which allocates a tensor of a few hundred
// numbers. Together they take longer than reading the weights, which is the actual work. Here a layer is one call: five
// products that read each weight once (skinny_gemm.h), with short loops between them over float32 numbers that stay in
// the L1 cache. In bfloat16, only weights, keys and values are rounded, not the intermediate values.

#include <ATen/ops/empty_like.h>

#include <vector>

#include "../support.h"
#include "parallel.h"
#include "skinny_gemm.h"
#include "vectorized.h"

using namespace ctorch;

namespace {

template <typename T>
INLINE void normalize(float *y, const float *x, const T *weight, int64_t size, float epsilon) {
  ANY_ORDER
  float sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += x[i] * x[i];
  float r = 1.0f / std::sqrt(sum / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) y[i] = x[i] * r * load(weight[i]);
}

// Attention of one query to the previous keys and values and its own: softmax(q·kᵀ·scale)·v.
template <typename T>
INLINE void attend(float *y, const float *query, const T *keys, const T *values, float *weights, int64_t length,
                   int64_t size, float scale) {
  ANY_ORDER
  float top = -HUGE_VALF, sum = 0;
  for (int64_t place = 0; place < length; ++place) {
    const T *key = keys + place * size;
    float product = 0;
    for (int64_t i = 0; i < size; ++i) product += query[i] * load(key[i]);
    weights[place] = product * scale;
    top = weights[place] > top ? weights[place] : top;
  }
  for (int64_t place = 0; place < length; ++place) {
    weights[place] = exponential(weights[place] - top);
    sum += weights[place];
  }
  for (int64_t i = 0; i < size; ++i) y[i] = 0;
  for (int64_t place = 0; place < length; ++place) {
    const T *value = values + place * size;
    float weight = weights[place] / sum;
    for (int64_t i = 0; i < size; ++i) y[i] += weight * load(value[i]);
  }
}

INLINE void rotate(float *x, const float *cosine, const float *sine, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    float a = x[i], b = x[i + half];
    x[i] = a * cosine[i] - b * sine[i];
    x[i + half] = b * cosine[i] + a * sine[i];
  }
}

INLINE void gate_with(float *gate, const float *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gate[i] = silu(gate[i]) * up[i];
}

// A matrix of weights, [outputs, inputs].
template <typename T>
struct Weight {
  const T *values;
  int64_t outputs;
  explicit Weight(const at::Tensor &tensor) : values(data<T>(tensor)), outputs(tensor.size(0)) {}
};

// The products of the same rows with several matrices, concatenated in y. The outputs of all matrices are divided among
// the threads.
template <typename T>
void multiply(float *y, int64_t y_stride, const float *x, int64_t rows, int64_t size,
              std::initializer_list<Weight<T>> weights) {
  int64_t outputs = 0;
  for (const auto &weight : weights) outputs += weight.outputs;
  parallel_for(outputs, std::max<int64_t>(1, (1 << 15) / size), [&](int64_t begin, int64_t end) {
    int64_t first = 0;
    for (const auto &weight : weights) {
      int64_t from = std::max(begin, first), to = std::min(end, first + weight.outputs);
      if (from < to) skinny_gemm(y + first, y_stride, x, rows, size, weight.values, size, from - first, to - first);
      first += weight.outputs;
    }
  });
}

template <typename T>
void step(T *out, const T *in, const ct_decode_layer_weights &layer, int64_t rows, int64_t size, int64_t length,
          const float *cosine, const float *sine) {
  const at::Tensor &keys = layer.keys->value, &values = layer.values->value;
  int64_t key_heads = keys.size(1), room = keys.size(2), head = keys.size(3);
  Weight<T> query(layer.query->value), key(layer.key->value), value(layer.value->value), output(layer.output->value),
      gate(layer.gate->value), up(layer.up->value), down(layer.down->value);
  int64_t heads = query.outputs / head, mixed = query.outputs + key.outputs + value.outputs, wide = gate.outputs;
  float epsilon = static_cast<float>(layer.epsilon);
  std::vector<float> x(rows * size), normal(rows * size), qkv(rows * mixed), attended(rows * query.outputs),
      sums(rows * size), inner(rows * 2 * wide), weights(rows * heads * (length + 1));
  for (int64_t i = 0; i < rows * size; ++i) x[i] = load(in[i]);
  for (int64_t row = 0; row < rows; ++row)
    vectorized<normalize<T>>(&normal[row * size], &x[row * size], data<T>(layer.attention_norm->value), size, epsilon);
  multiply(qkv.data(), mixed, normal.data(), rows, size, {query, key, value});

  for (int64_t row = 0; row < rows; ++row) {
    float *place = &qkv[row * mixed];
    for (int64_t i = 0; i < heads + key_heads; ++i) rotate(place + i * head, cosine, sine, head / 2);
    for (int64_t i = 0; i < key_heads; ++i) {
      int64_t at = ((row * key_heads + i) * room + length) * head;
      for (int64_t j = 0; j < head; ++j) {
        store(data<T>(keys)[at + j], place[query.outputs + i * head + j]);
        store(data<T>(values)[at + j], place[query.outputs + key.outputs + i * head + j]);
      }
    }
  }
  parallel_for(rows * heads, std::max<int64_t>(1, (1 << 14) / ((length + 1) * head)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t row = i / heads, of_key = (row * key_heads + i % heads / (heads / key_heads)) * room * head;
      vectorized<attend<T>>(&attended[i * head], &qkv[row * mixed + i % heads * head], data<T>(keys) + of_key,
                            data<T>(values) + of_key, &weights[i * (length + 1)], length + 1, head,
                            1.0f / std::sqrt(static_cast<float>(head)));
    }
  });
  multiply(sums.data(), size, attended.data(), rows, query.outputs, {output});
  for (int64_t i = 0; i < rows * size; ++i) x[i] += sums[i];

  for (int64_t row = 0; row < rows; ++row)
    vectorized<normalize<T>>(&normal[row * size], &x[row * size], data<T>(layer.mlp_norm->value), size, epsilon);
  multiply(inner.data(), 2 * wide, normal.data(), rows, size, {gate, up});
  // The next product reads the gated values of all rows without gaps.
  for (int64_t row = 0; row < rows; ++row) {
    vectorized<gate_with>(&inner[row * 2 * wide], &inner[row * 2 * wide + wide], wide);
    if (row > 0) std::copy_n(&inner[row * 2 * wide], wide, &inner[row * wide]);
  }
  multiply(sums.data(), size, inner.data(), rows, wide, {down});
  for (int64_t i = 0; i < rows * size; ++i) store(out[i], x[i] + sums[i]);
}

}  // namespace

int ct_max_skinny_rows(void) { return kMaxSkinnyRows; }

int ct_decode_layer(ct_tensor *out, ct_tensor x, const ct_decode_layer_weights *layer, int64_t length, ct_tensor cosine,
                    ct_tensor sine) {
  return make(out, [&] {
    at::Tensor input = x->value.contiguous(), c = cosine->value.contiguous(), s = sine->value.contiguous();
    const at::Tensor &keys = layer->keys->value, &values = layer->values->value;
    TORCH_CHECK(is_supported(input) && input.dim() > 1 && input.size(-1) * input.size(0) == input.numel() &&
                    input.size(0) <= kMaxSkinnyRows && keys.dim() == 4 && keys.size(0) == input.size(0) &&
                    keys.sizes() == values.sizes() && length < keys.size(2) && keys.is_contiguous() &&
                    values.is_contiguous() && c.numel() * 2 == keys.size(3) && c.sizes() == s.sizes() &&
                    c.scalar_type() == at::kFloat,
                "a step of ", input.sizes(), " after ", length, " positions, with caches of ", keys.sizes());
    int64_t size = input.size(-1), head = keys.size(3), query = layer->query->value.size(0);
    auto check = [&](ct_tensor weight, int64_t outputs, int64_t inputs) {
      const at::Tensor &w = weight->value;
      TORCH_CHECK(w.is_contiguous() && w.scalar_type() == input.scalar_type() && w.numel() == outputs * inputs &&
                      w.size(0) == outputs,
                  "a weight of ", w.sizes(), " where ", outputs, " by ", inputs, " is needed");
    };
    int64_t shared = keys.size(1) * head, wide = layer->gate->value.size(0);
    TORCH_CHECK(
        keys.scalar_type() == input.scalar_type() && values.scalar_type() == input.scalar_type() && query % shared == 0,
        "keys of another type or number");
    check(layer->attention_norm, size, 1);
    check(layer->query, query, size);
    check(layer->key, shared, size);
    check(layer->value, shared, size);
    check(layer->output, size, query);
    check(layer->mlp_norm, size, 1);
    check(layer->gate, wide, size);
    check(layer->up, wide, size);
    check(layer->down, size, wide);
    at::Tensor result = at::empty_like(input);
    with_element(input, [&]<typename T>() {
      step(data<T>(result), data<T>(input), *layer, input.size(0), size, length, data<float>(c), data<float>(s));
    });
    return result;
  });
}
