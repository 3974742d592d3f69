// Cross-entropy of hidden·weightᵀ against target ids, in blocks of rows.
//
// The logits of a batch, [rows, vocabulary], are the largest tensor of a language model. With their float32 copy, the
// softmax and its gradient there are four of that size. Here they exist for one block of rows at a time: the gradient
// replaces the logits in place and is multiplied immediately.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t kIgnored = -100;

// About four megabytes of logits at a time: they fit in the cache, and the product is efficient.
int64_t block_rows(int64_t vocabulary) {
  return std::clamp<int64_t>((1 << 20) / std::max<int64_t>(1, vocabulary), 32, 4096);
}

// The same in training, where each block is also added to the weight's gradient in float32, [vocabulary, size], which
// does not fit in the cache. A block has at least as many bytes of logits as that gradient.
int64_t training_rows(const at::Tensor &hidden, int64_t vocabulary) {
  return std::max<int64_t>(block_rows(vocabulary), hidden.size(1) * 4 / hidden.element_size());
}

INLINE void accumulate(float *total, const bf16 *part, int64_t count) {
  for (int64_t i = 0; i < count; ++i) total[i] += load(part[i]);
}

// dweight += logitsᵀ·hidden, summed over blocks in float32.
void add_product(at::Tensor &dweight, const at::Tensor &logits, const at::Tensor &hidden) {
  if (hidden.scalar_type() == at::kFloat) {
    dweight.addmm_(logits.t(), hidden);
    return;
  }
  at::Tensor part = at::mm(logits.t(), hidden);
  parallel_for(part.numel(), 16384, [&](int64_t begin, int64_t end) {
    vectorized<accumulate>(data<float>(dweight) + begin, data<bf16>(part) + begin, end - begin);
  });
}

// Replaces a row of logits with the gradient of scale·(−log softmax[target]); returns −log softmax[target]. The
// exponentials are kept in `powers`, so that they are computed once.
template <typename T>
INLINE double descend(T *row, float *powers, int64_t size, int64_t target, float scale) {
  ANY_ORDER
  float top = largest(row, size), sum = 0, chosen = load(row[target]);
  for (int64_t i = 0; i < size; ++i) {
    float power = exponential(load(row[i]) - top);
    powers[i] = power;
    sum += power;
  }
  float factor = scale / sum;
  for (int64_t i = 0; i < size; ++i) store(row[i], powers[i] * factor);
  store(row[target], scale * (exponential(chosen - top) / sum - 1.0f));
  return std::log(static_cast<double>(sum)) + top - chosen;
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &hidden, const at::Tensor &weight,
                            const at::Tensor &targets, bool differentiable) {
    int64_t rows = hidden.size(0), vocabulary = weight.size(0);
    int64_t block = differentiable ? training_rows(hidden, vocabulary) : block_rows(vocabulary);
    const int64_t *target = data<int64_t>(targets);
    int64_t counted = rows - std::count(target, target + rows, kIgnored);
    float scale = 1.0f / static_cast<float>(std::max<int64_t>(1, counted));
    at::Tensor losses = at::zeros({rows}, at::kDouble);
    at::Tensor dhidden, dweight;
    if (differentiable) {
      dhidden = at::empty_like(hidden);
      // A single block gives the complete gradient of the weight.
      if (rows > block || rows == 0) dweight = at::zeros(weight.sizes(), at::kFloat);
    }
    for (int64_t begin = 0; begin < rows; begin += block) {
      int64_t count = std::min(block, rows - begin);
      at::Tensor part = hidden.narrow(0, begin, count), logits = at::mm(part, weight.t());
      with_element(logits, [&]<typename T>() {
        parallel_for(count, 4, [&](int64_t first, int64_t last) {
          std::vector<float> powers(vocabulary);
          for (int64_t row = first; row < last; ++row) {
            T *place = data<T>(logits) + row * vocabulary;
            if (target[begin + row] == kIgnored)
              std::memset(static_cast<void *>(place), 0, vocabulary * sizeof(T));
            else
              data<double>(losses)[begin + row] =
                  vectorized<descend<T>>(place, powers.data(), vocabulary, target[begin + row], scale);
          }
        });
      });
      if (!differentiable) continue;
      at::Tensor place = dhidden.narrow(0, begin, count);
      at::mm_out(place, logits, weight);
      if (dweight.defined())
        add_product(dweight, logits, part);
      else
        dweight = at::mm(logits.t(), part);
    }
    if (differentiable) context->save_for_backward({dhidden, dweight.to(weight.scalar_type())});
    return (losses.sum() * static_cast<double>(scale)).to(at::kFloat);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    double g = gradients[0].item<double>();
    return {saved[0] * g, saved[1] * g, at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor &hidden, const at::Tensor &weight) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1), "projection of ",
              hidden.sizes(), " by a weight of ", weight.sizes());
}

}  // namespace

int ct_linear_cross_entropy(ct_tensor *out, ct_tensor hidden, ct_tensor weight, ct_tensor targets) {
  return make(out, [&] {
    const at::Tensor &h = hidden->value, &w = weight->value, &t = targets->value;
    check(h, w);
    TORCH_CHECK(t.dim() == 1 && t.size(0) == h.size(0) && t.scalar_type() == at::kLong, "targets of ", t.sizes(),
                " for ", h.size(0), " rows");
    if (!is_supported(h) || h.scalar_type() != w.scalar_type())
      return at::cross_entropy_loss(at::linear(h, w).to(at::kFloat), t);
    at::Tensor known = t.contiguous();
    const int64_t *ids = data<int64_t>(known);
    int64_t vocabulary = w.size(0);
    TORCH_CHECK(std::all_of(ids, ids + known.numel(),
                            [&](int64_t id) { return id == kIgnored || (id >= 0 && id < vocabulary); }),
                "a target lies outside the vocabulary of ", vocabulary);
    return LinearCrossEntropy::apply(h.contiguous(), w.contiguous(), known, differentiable(h) || differentiable(w));
  });
}
