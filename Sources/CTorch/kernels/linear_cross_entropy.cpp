// Cross-entropy of hidden·weightᵀ against target ids, in blocks of rows.
//
// The logits of a batch, [rows, vocabulary], are the largest tensor of a language model: with their float32 copy, the
// softmax and its gradient they exist four times over. A block of rows at a time is enough: it is turned into its own
// gradient in place and multiplied on at once.

#include <torch/csrc/autograd/custom_function.h>

#include <limits>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t ignored = -100;

// Rows whose logits take some four megabytes: in cache, and enough for an efficient product.
int64_t block_rows(int64_t vocabulary) { return std::clamp<int64_t>((1 << 20) / std::max<int64_t>(1, vocabulary), 32, 4096); }

template <typename T>
INLINE float largest(const T *row, int64_t size) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < size; ++i) top = load(row[i]) > top ? load(row[i]) : top;
  return top;
}

// Turns a row of logits into the gradient of scale·(−log softmax[target]); returns −log softmax[target].
template <typename T>
INLINE double descend(T *row, int64_t size, int64_t target, float scale) {
  ANY_ORDER
  float top = largest(row, size), sum = 0, chosen = load(row[target]);
  for (int64_t i = 0; i < size; ++i) sum += exponential(load(row[i]) - top);
  float factor = scale / sum;
  for (int64_t i = 0; i < size; ++i) store(row[i], exponential(load(row[i]) - top) * factor);
  store(row[target], scale * (exponential(chosen - top) / sum - 1.0f));
  return std::log(static_cast<double>(sum)) + top - chosen;
}

VECTORIZED double descend_row(float *row, int64_t size, int64_t target, float scale) {
  return descend(row, size, target, scale);
}
VECTORIZED double descend_row(bf16 *row, int64_t size, int64_t target, float scale) {
  return descend(row, size, target, scale);
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &hidden, const at::Tensor &weight,
                            const at::Tensor &targets, bool differentiable) {
    int64_t rows = hidden.size(0), vocabulary = weight.size(0), block = block_rows(vocabulary);
    int64_t counted = targets.ne(ignored).sum().item<int64_t>();
    float scale = 1.0f / static_cast<float>(std::max<int64_t>(1, counted));
    const int64_t *target = data<int64_t>(targets);
    at::Tensor losses = at::zeros({rows}, at::kDouble);
    at::Tensor dhidden, dweight;
    if (differentiable) {
      dhidden = at::empty_like(hidden);
      dweight = at::zeros(weight.sizes(), at::kFloat);
    }
    for (int64_t begin = 0; begin < rows; begin += block) {
      int64_t count = std::min(block, rows - begin);
      at::Tensor part = hidden.narrow(0, begin, count), logits = at::mm(part, weight.t());
      with_element(logits, [&](auto *type) {
        using T = std::remove_pointer_t<decltype(type)>;
        parallel_for(count, 4, [&](int64_t first, int64_t last) {
          for (int64_t row = first; row < last; ++row) {
            T *place = data<T>(logits) + row * vocabulary;
            if (target[begin + row] == ignored)
              std::memset(static_cast<void *>(place), 0, vocabulary * sizeof(T));
            else
              data<double>(losses)[begin + row] = descend_row(place, vocabulary, target[begin + row], scale);
          }
        });
      });
      if (!differentiable) continue;
      at::Tensor place = dhidden.narrow(0, begin, count);
      at::mm_out(place, logits, weight);
      dweight.add_(at::mm(logits.t(), part));
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
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1),
              "projection of ", hidden.sizes(), " by a weight of ", weight.sizes());
}

}  // namespace

int ct_linear_cross_entropy(ct_tensor *out, ct_tensor hidden, ct_tensor weight, ct_tensor targets) {
  return make(out, [&] {
    const at::Tensor &h = hidden->value, &w = weight->value, &t = targets->value;
    check(h, w);
    TORCH_CHECK(t.dim() == 1 && t.size(0) == h.size(0) && t.scalar_type() == at::kLong, "targets of ", t.sizes(),
                " for ", h.size(0), " rows");
    if (!served(h) || h.scalar_type() != w.scalar_type())
      return at::cross_entropy_loss(at::linear(h, w).to(at::kFloat), t);
    at::Tensor known = t.contiguous(), real = known.masked_select(known.ne(ignored));
    TORCH_CHECK(real.numel() == 0 || (real.min().item<int64_t>() >= 0 && real.max().item<int64_t>() < w.size(0)),
                "a target lies outside the vocabulary of ", w.size(0));
    return LinearCrossEntropy::apply(h.contiguous(), w.contiguous(), known, differentiable(h) || differentiable(w));
  });
}
