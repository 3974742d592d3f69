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

// The earlier positions of a sequence, in the rooms of its first key head.
template <typename T>
struct Past {
  T *keys, *values;
  int64_t room, length;
  const float *cosine, *sine;  // of the next position
};

// The sequences of all caches, in their order.
template <typename T>
std::vector<Past<T>> pasts(const ct_decode_cache *caches, int count, const float *cosine, const float *sine) {
  std::vector<Past<T>> result;
  for (int cache = 0; cache < count; ++cache) {
    const at::Tensor &keys = caches[cache].keys->value, &values = caches[cache].values->value;
    int64_t half = keys.size(3) / 2;
    for (int64_t row = 0; row < keys.size(0); ++row) {
      int64_t first = row * keys.stride(0);
      result.push_back({data<T>(keys) + first, data<T>(values) + first, keys.size(2), caches[cache].length,
                        cosine + cache * half, sine + cache * half});
    }
  }
  return result;
}

template <typename T>
void step(T *out, const T *in, const ct_decode_layer_weights &layer, const std::vector<Past<T>> &pasts, int64_t size,
          int64_t key_heads, int64_t head) {
  int64_t rows = static_cast<int64_t>(pasts.size()), longest = 0;
  for (const auto &past : pasts) longest = std::max(longest, past.length + 1);
  Weight<T> query(layer.query->value), key(layer.key->value), value(layer.value->value), output(layer.output->value),
      gate(layer.gate->value), up(layer.up->value), down(layer.down->value);
  int64_t heads = query.outputs / head, mixed = query.outputs + key.outputs + value.outputs, wide = gate.outputs;
  float epsilon = static_cast<float>(layer.epsilon);
  std::vector<float> x(rows * size), normal(rows * size), qkv(rows * mixed), attended(rows * query.outputs),
      sums(rows * size), inner(rows * 2 * wide), weights(rows * heads * longest);
  for (int64_t i = 0; i < rows * size; ++i) x[i] = load(in[i]);
  for (int64_t row = 0; row < rows; ++row)
    vectorized<normalize<T>>(&normal[row * size], &x[row * size], data<T>(layer.attention_norm->value), size, epsilon);
  multiply(qkv.data(), mixed, normal.data(), rows, size, {query, key, value});

  for (int64_t row = 0; row < rows; ++row) {
    const Past<T> &past = pasts[row];
    float *place = &qkv[row * mixed];
    for (int64_t i = 0; i < heads + key_heads; ++i) rotate(place + i * head, past.cosine, past.sine, head / 2);
    for (int64_t i = 0; i < key_heads; ++i) {
      int64_t at = (i * past.room + past.length) * head;
      for (int64_t j = 0; j < head; ++j) {
        store(past.keys[at + j], place[query.outputs + i * head + j]);
        store(past.values[at + j], place[query.outputs + key.outputs + i * head + j]);
      }
    }
  }
  parallel_for(rows * heads, std::max<int64_t>(1, (1 << 14) / (longest * head)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Past<T> &past = pasts[i / heads];
      int64_t of_key = i % heads / (heads / key_heads) * past.room * head;
      vectorized<attend<T>>(&attended[i * head], &qkv[i / heads * mixed + i % heads * head], past.keys + of_key,
                            past.values + of_key, &weights[i * longest], past.length + 1, head,
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

int ct_decode_layer(ct_tensor *out, ct_tensor x, const ct_decode_layer_weights *layer, const ct_decode_cache *caches,
                    int count, ct_tensor cosine, ct_tensor sine) {
  return make(out, [&] {
    at::Tensor input = x->value.contiguous(), c = cosine->value.contiguous(), s = sine->value.contiguous();
    TORCH_CHECK(count > 0, "a step of no cache");
    int64_t rows = 0, size = input.size(-1), key_heads = caches[0].keys->value.size(1),
            head = caches[0].keys->value.size(3);
    for (int i = 0; i < count; ++i) {
      const at::Tensor &keys = caches[i].keys->value, &values = caches[i].values->value;
      TORCH_CHECK(keys.dim() == 4 && keys.size(1) == key_heads && keys.size(3) == head &&
                      keys.sizes() == values.sizes() && caches[i].length < keys.size(2) && keys.is_contiguous() &&
                      values.is_contiguous() && keys.scalar_type() == input.scalar_type() &&
                      values.scalar_type() == input.scalar_type(),
                  "a step after ", caches[i].length, " positions in a room of ", keys.sizes());
      rows += keys.size(0);
    }
    TORCH_CHECK(is_supported(input) && input.dim() > 1 && size * input.size(0) == input.numel() &&
                    input.size(0) == rows && c.numel() * 2 == count * head &&
                    c.sizes() == s.sizes() && c.scalar_type() == at::kFloat && s.scalar_type() == at::kFloat,
                "a step of ", input.sizes(), " with caches of ", rows, " sequences and angles of ", c.sizes());
    int64_t query = layer->query->value.size(0), shared = key_heads * head, wide = layer->gate->value.size(0);
    auto check = [&](ct_tensor weight, int64_t outputs, int64_t inputs) {
      const at::Tensor &w = weight->value;
      TORCH_CHECK(w.is_contiguous() && w.scalar_type() == input.scalar_type() && w.numel() == outputs * inputs &&
                      w.size(0) == outputs,
                  "a weight of ", w.sizes(), " where ", outputs, " by ", inputs, " is needed");
    };
    TORCH_CHECK(query % shared == 0, "keys of another number");
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
      step(data<T>(result), data<T>(input), *layer, pasts<T>(caches, count, data<float>(c), data<float>(s)), size,
           key_heads, head);
    });
    return result;
  });
}
