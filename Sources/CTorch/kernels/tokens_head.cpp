// The probabilities of a tokens head for the tokens that follow some beginnings of chunks.
//
// With libtorch's operations, this takes about forty calls on a few rows, which take longer than the products. Here it
// is one call. The bits of a beginning's probabilities do not depend on the others.

#include <vector>

#include "adaptive_rows.h"

using namespace ctorch;

namespace {

// The number of beginnings that share a pass over the weights.
constexpr int64_t kRows = 48;

// The running sums of some rows. They do not decrease, so numbers that are 0 are never chosen. One row would spend most
// of the time waiting for its last addition.
template <int rows>
INLINE void add_up(float *const *sums, const float *const *numbers, int64_t size) {
  double totals[rows] = {};
  for (int64_t i = 0; i < size; ++i)
    for (int row = 0; row < rows; ++row) sums[row][i] = static_cast<float>(totals[row] += numbers[row][i]);
}

// Beginnings of chunks, in the order of their lengths.
struct Beginnings {
  const int64_t *positions, *lengths;
  // The first token of each.
  std::vector<const int32_t *> tokens;
};

template <typename T>
class Probabilities {
 public:
  // most: the maximum number of beginnings at once.
  Probabilities(const ct_tokens_head &head, const Beginnings &beginnings, double exponent, int64_t most)
      : head_(head),
        beginnings_(beginnings),
        exponent_(static_cast<float>(exponent)),
        h_(head.embeddings->value.size(1)),
        vocabulary_(head.embeddings->value.size(0)),
        earlier_(buffer(most * (head.chunk_size - 1) * h_)),
        network_(head.network, h_, most),
        logits_(buffer(most * panel_count(vocabulary_) * kPanel)) {}

  // Writes the sums of beginnings first..<last.
  void write(float *sums, int64_t first, int64_t last) {
    int64_t empty = first;
    while (empty < last && beginnings_.lengths[empty] == 0) ++empty;
    read(empty, last);
    std::vector<const float *> modulations;
    for (int64_t i = empty; i < last; ++i) {
      const at::Tensor &all = head_.modulation->value;
      modulations.push_back(data<float>(all) + beginnings_.positions[i] * all.size(1));
    }
    if (empty < last) network_.apply(modulations.data(), last - empty);
    // The rows of empty beginnings come last: they take no part in the network.
    for (int64_t i = empty; i < last; ++i) vectorized<add>(network_.output(i - empty), prior(i), h_);
    for (int64_t i = first; i < empty; ++i) std::copy_n(prior(i), h_, network_.output(last - empty + i - first));
    finish(sums, first, empty, last);
  }

 private:
  // The row of the prior for the token after a beginning.
  const float *prior(int64_t i) const {
    int64_t row = beginnings_.positions[i] * head_.chunk_size + beginnings_.lengths[i];
    return data<float>(head_.prior->value) + row * h_;
  }

  // The inputs of the network: a layer for each number of tokens.
  void read(int64_t begin, int64_t end) {
    for (int64_t first = begin, last; first < end; first = last) {
      int64_t length = beginnings_.lengths[first], inputs = length * h_;
      for (last = first; last < end && beginnings_.lengths[last] == length; ++last)
        for (int64_t i = 0; i < length; ++i)
          vectorized<widen<T>>(&earlier_[(last - first) * inputs + i * h_],
                               data<T>(head_.embeddings->value) + beginnings_.tokens[last][i] * h_, h_);
      const at::Tensor &weight = head_.prefix_weights[length - 1]->value,
                       &bias = head_.prefix_biases[length - 1]->value;
      over_panels(panel_count(h_), last - first, inputs, [&](int64_t from, int64_t to) {
        multiply_packed(network_.input(first - begin), network_.stride(), earlier_.get(), inputs, last - first, inputs,
                        data<T>(weight), from, to);
        int64_t output = from * kPanel, count = std::min(h_, to * kPanel) - output;
        for (int64_t i = first; i < last; ++i)
          vectorized<add_bias<T>>(network_.input(i - begin) + output, data<T>(bias) + output, count);
      });
    }
  }

  // The products with the vocabulary, and the sums of their exponentials.
  void finish(float *sums, int64_t first, int64_t empty, int64_t last) {
    int64_t rows = last - first, panels = panel_count(vocabulary_), stride = panels * kPanel;
    over_panels(panels, rows, h_, [&](int64_t begin, int64_t end) {
      multiply_packed(logits_.get(), stride, network_.output(0), network_.stride(), rows, h_,
                      data<T>(head_.vocabulary->value), begin, end);
    });
    parallel_for(rows, std::max<int64_t>(1, (1 << 14) / vocabulary_), [&](int64_t begin, int64_t end) {
      std::vector<float *> to;
      std::vector<const float *> from;
      for (int64_t row = begin; row < end; ++row) {
        vectorized<exponentials>(&logits_[row * stride], &logits_[row * stride], exponent_, vocabulary_);
        from.push_back(&logits_[row * stride]);
        int64_t beginning = row < last - empty ? empty + row : first + row - (last - empty);
        to.push_back(sums + beginning * vocabulary_);
      }
      int64_t row = 0;
      for (; row + 4 <= end - begin; row += 4) vectorized<add_up<4>>(&to[row], &from[row], vocabulary_);
      for (; row < end - begin; ++row) vectorized<add_up<1>>(&to[row], &from[row], vocabulary_);
    });
  }

  const ct_tokens_head &head_;
  const Beginnings &beginnings_;
  const float exponent_;
  const int64_t h_, vocabulary_;
  Buffer earlier_;
  AdaptiveRows<T> network_;
  Buffer logits_;
};

void check(const ct_tokens_head &head) {
  const at::Tensor &embeddings = head.embeddings->value;
  TORCH_CHECK(
      is_supported(embeddings) && embeddings.dim() == 2 && head.modulation->value.dim() == 2 && head.chunk_size > 0,
      "token embeddings of ", embeddings.sizes());
  at::ScalarType type = embeddings.scalar_type();
  int64_t vocabulary = embeddings.size(0), h = embeddings.size(1), positions = head.modulation->value.size(0);
  check_numbers(head.embeddings, type, vocabulary, h);
  check_numbers(head.vocabulary, type, panel_count(vocabulary), h * kPanel);
  check_numbers(head.prior, at::kFloat, positions * head.chunk_size, h);
  check_numbers(head.modulation, at::kFloat, positions, (3 * head.network.block_count + 2) * h);
  for (int i = 0; i < head.chunk_size - 1; ++i) {
    check_numbers(head.prefix_weights[i], type, panel_count(h), (i + 1) * h * kPanel);
    check_numbers(head.prefix_biases[i], type, h, 1);
  }
  check_network(head.network, type, h);
}

}  // namespace

int ct_tokens_head_sums(float *sums, const ct_tokens_head *head, const int64_t *positions, const int64_t *lengths,
                        const int32_t *tokens, int64_t count, double exponent) {
  return guard([&] {
    check(*head);
    int64_t all = head->modulation->value.size(0), vocabulary = head->embeddings->value.size(0), longest = 0;
    Beginnings beginnings{positions, lengths, {}};
    for (int64_t i = 0; i < count; ++i) {
      TORCH_CHECK(positions[i] >= 0 && positions[i] < all, "a position of ", positions[i]);
      TORCH_CHECK(lengths[i] >= longest && lengths[i] < head->chunk_size, "a beginning of ", lengths[i], " tokens");
      longest = lengths[i];
      beginnings.tokens.push_back(tokens);
      for (int64_t j = 0; j < lengths[i]; ++j, ++tokens)
        TORCH_CHECK(*tokens >= 0 && *tokens < vocabulary, "a beginning with token ", *tokens);
    }
    with_element(head->embeddings->value, [&]<typename T>() {
      Probabilities<T> probabilities(*head, beginnings, exponent, std::min(kRows, count));
      for (int64_t first = 0; first < count; first += kRows)
        probabilities.write(sums, first, std::min(first + kRows, count));
    });
  });
}
