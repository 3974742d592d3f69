// A one-step posterior head for the candidates of a few positions.
//
// With libtorch's operations, an evaluation takes about seventy calls and computes all K tokens of each candidate. The
// choice among candidates compares them token by token, and stops where they differ. Here an evaluation has two parts,
// one call each: the belief of a candidate, the most likely tokens given the noise alone; and a token, which depends on
// the noise and the belief. The bits of a candidate do not depend on the others.

#include <mutex>
#include <numeric>
#include <vector>

#include "adaptive_rows.h"
#include "posterior_rows.h"

using namespace ctorch;

namespace {

// The number of rows that share a pass over the weights.
constexpr int64_t kRows = 48;

struct Sizes {
  int64_t chunk, hidden, vocabulary, code;

  // The length of rows of V numbers in whole panels.
  int64_t logits() const { return panel_count(vocabulary) * kPanel; }
};

Sizes sizes(const ct_one_step_head &head) {
  const at::Tensor &prior = head.prior->value;
  return {prior.size(0) / head.modulation->value.size(0), head.vocabulary->value.size(1), prior.size(1),
          head.code_words->value.size(1)};
}

// evidence[v] = ⟨e(v), x⟩ for the tokens of panels begin..<end. points: x, [rows][d].
void weigh(float *evidence, const float *points, int64_t rows, const ct_one_step_head &head, const Sizes &size,
           int64_t begin, int64_t end) {
  multiply_packed(evidence, size.logits(), points, size.code, rows, size.code, data<float>(head.code_words->value),
                  begin, end);
}

void scale(float *scaled, const float *points, int64_t count, const ct_one_step_head &head) {
  for (int64_t i = 0; i < count; ++i) scaled[i] = static_cast<float>(head.scale) * points[i];
}

// The most likely token of each part of some noise, [count][d], under prior and evidence.
void write_beliefs(int32_t *out, const float *noise, const int64_t *positions, int64_t count,
                   const ct_one_step_head &head) {
  const Sizes size = sizes(head);
  parallel_for(count, 4, [&](int64_t begin, int64_t end) {
    int64_t most = std::min(kRows, end - begin);
    Buffer points = buffer(most * size.code), logits = buffer(most * size.logits());
    for (int64_t first = begin; first < end; first += kRows) {
      int64_t rows = std::min(kRows, end - first);
      scale(points.get(), noise + first * size.code, rows * size.code, head);
      weigh(logits.get(), points.get(), rows, head, size, 0, panel_count(size.vocabulary));
      for (int64_t row = first; row < first + rows; ++row) {
        int64_t prior = positions[row / size.chunk] * size.chunk + row % size.chunk;
        out[row] = vectorized<most_likely>(&logits[(row - first) * size.logits()],
                                           data<float>(head.prior->value) + prior * size.vocabulary, 0, size.vocabulary)
                       .token;
      }
    }
  });
}

// Some candidates: the noise, the belief (K tokens) and the position of each.
struct Candidates {
  std::vector<const float *> noise;
  const int32_t *beliefs;
  const int64_t *positions;
};

// The tokens at some places, chunk · K + part, which are sorted by part.
template <typename T>
class Tokens {
 public:
  // most: the maximum number of places at once.
  Tokens(const ct_one_step_head &head, const Candidates &candidates, int64_t most)
      : head_(head),
        size_(sizes(head)),
        candidates_(candidates),
        input_size_(size_.chunk * (size_.code + (head.mixed ? 0 : size_.hidden))),
        inputs_(buffer(most * input_size_)),
        points_(buffer(most * size_.code)),
        network_(head.network, size_.hidden, most),
        logits_(buffer(most * size_.logits())),
        evidence_(buffer(most * size_.logits())) {}

  void write(int32_t *out, const int64_t *places, int64_t rows) {
    mix(places, rows);
    std::vector<const float *> modulations(rows);
    for (int64_t row = 0; row < rows; ++row) modulations[row] = modulation(places[row]);
    network_.apply(modulations.data(), rows);
    finish(out, places, rows);
  }

 private:
  int64_t part(int64_t place) const { return place % size_.chunk; }
  int64_t position(int64_t place) const { return candidates_.positions[place / size_.chunk]; }
  const float *noise(int64_t place) const { return candidates_.noise[place / size_.chunk]; }
  const int32_t *belief(int64_t place) const { return candidates_.beliefs + place / size_.chunk * size_.chunk; }

  // The shifts, scales and gates of a place.
  const float *modulation(int64_t place) const {
    const at::Tensor &all = head_.modulation->value;
    return data<float>(all) + position(place) * all.size(1);
  }

  // The first layer. Of its outputs, each part needs its own.
  void mix(const int64_t *places, int64_t rows) {
    int64_t h = size_.hidden, panels = panel_count(h);
    for (int64_t row = 0; row < rows; ++row) read(&inputs_[row * input_size_], places[row]);
    over_panels(panels, rows, input_size_, [&](int64_t begin, int64_t end) {
      int64_t from = begin * kPanel, count = std::min(h, end * kPanel) - from;
      for (int64_t first = 0, last; first < rows; first = last) {
        int64_t part = this->part(places[first]);
        for (last = first + 1; last < rows && this->part(places[last]) == part;) ++last;
        multiply_packed(network_.input(first), network_.stride(), &inputs_[first * input_size_], input_size_,
                        last - first, input_size_,
                        data<T>(head_.input_weight->value) + part * panels * input_size_ * kPanel, begin, end);
        for (int64_t row = first; row < last; ++row) {
          float *x = network_.input(row) + from;
          vectorized<add_bias<T>>(x, data<T>(head_.input_bias->value) + part * h + from, count);
          if (head_.mixed) add_mixed(x, belief(places[row]), part * h + from, count);
        }
      }
    });
  }

  // The inputs of a place: the noise and, unless they were mixed before, the embeddings of the belief.
  void read(float *inputs, int64_t place) const {
    int64_t h = size_.hidden, noise = size_.chunk * size_.code;
    std::copy_n(this->noise(place), noise, inputs);
    if (head_.mixed) return;
    for (int64_t i = 0; i < size_.chunk; ++i) {
      float *embedding = inputs + noise + i * h;
      int32_t token = belief(place)[i];
      if (token < 0)
        std::fill_n(embedding, h, std::numeric_limits<float>::quiet_NaN());
      else
        vectorized<widen<T>>(embedding, data<T>(head_.embeddings->value) + token * h, h);
    }
  }

  // Adds what the embeddings of the belief contribute to some outputs of the first layer.
  void add_mixed(float *x, const int32_t *belief, int64_t output, int64_t count) const {
    int64_t outputs = size_.chunk * size_.hidden;
    for (int64_t i = 0; i < size_.chunk; ++i)
      if (belief[i] < 0)
        std::fill_n(x, count, std::numeric_limits<float>::quiet_NaN());
      else
        vectorized<add>(x, data<float>(head_.mixed->value) + (belief[i] * size_.chunk + i) * outputs + output, count);
  }

  // The most likely tokens under the posterior: the product with the vocabulary, the evidence and the prior.
  void finish(int32_t *out, const int64_t *places, int64_t rows) {
    for (int64_t row = 0; row < rows; ++row)
      scale(&points_[row * size_.code], noise(places[row]) + part(places[row]) * size_.code, size_.code, head_);
    std::vector<Choice> choices(rows);
    std::mutex mutex;
    over_panels(panel_count(size_.vocabulary), rows, size_.hidden + size_.code, [&](int64_t begin, int64_t end) {
      multiply_packed(logits_.get(), size_.logits(), network_.output(0), network_.stride(), rows, size_.hidden,
                      data<T>(head_.vocabulary->value), begin, end);
      weigh(evidence_.get(), points_.get(), rows, head_, size_, begin, end);
      int64_t from = begin * kPanel, count = std::min(size_.vocabulary, end * kPanel) - from;
      std::vector<Choice> own(rows);
      for (int64_t row = 0; row < rows; ++row) {
        int64_t prior = position(places[row]) * size_.chunk + part(places[row]);
        float *logits = &logits_[row * size_.logits() + from];
        vectorized<add>(logits, &evidence_[row * size_.logits() + from], count);
        own[row] = vectorized<most_likely>(logits, data<float>(head_.prior->value) + prior * size_.vocabulary + from,
                                           from, count);
      }
      std::lock_guard lock(mutex);
      for (int64_t row = 0; row < rows; ++row) choices[row].consider(own[row]);
    });
    for (int64_t row = 0; row < rows; ++row) out[row] = choices[row].token;
  }

  const ct_one_step_head &head_;
  const Sizes size_;
  const Candidates &candidates_;
  const int64_t input_size_;
  Buffer inputs_, points_;
  AdaptiveRows<T> network_;
  Buffer logits_, evidence_;
};

void check(const ct_one_step_head &head) {
  const at::Tensor &vocabulary = head.vocabulary->value, &prior = head.prior->value;
  TORCH_CHECK(is_supported(vocabulary) && vocabulary.dim() == 3 && prior.dim() == 2 &&
                  head.code_words->value.dim() == 3 && head.modulation->value.dim() == 2 &&
                  head.modulation->value.size(0) > 0,
              "a vocabulary of ", vocabulary.sizes());
  TORCH_CHECK(!head.mixed != !head.embeddings, "embeddings of the belief in two forms, or none");
  const Sizes size = sizes(head);
  at::ScalarType type = vocabulary.scalar_type();
  int64_t h = size.hidden, panels = panel_count(h), positions = head.modulation->value.size(0),
          inputs = size.chunk * (size.code + (head.mixed ? 0 : h));
  check_numbers(head.vocabulary, type, panel_count(size.vocabulary), h * kPanel);
  check_numbers(head.code_words, at::kFloat, panel_count(size.vocabulary), size.code * kPanel);
  check_numbers(head.prior, at::kFloat, positions * size.chunk, size.vocabulary);
  check_numbers(head.modulation, at::kFloat, positions, (3 * head.network.block_count + 2) * h);
  if (head.mixed)
    check_numbers(head.mixed, at::kFloat, size.vocabulary, size.chunk * size.chunk * h);
  else
    check_numbers(head.embeddings, type, size.vocabulary, h);
  check_numbers(head.input_weight, type, size.chunk, panels * inputs * kPanel);
  check_numbers(head.input_bias, type, size.chunk * h, 1);
  check_network(head.network, type, h);
}

// Appends the rows of some noise, [candidates, K·d].
void append(std::vector<const float *> &rows, const at::Tensor &noise, const ct_one_step_head &head) {
  const Sizes size = sizes(head);
  TORCH_CHECK(noise.device().is_cpu() && noise.scalar_type() == at::kFloat && noise.dim() == 2 &&
                  noise.is_contiguous() && noise.size(1) == size.chunk * size.code,
              "noise of ", noise.sizes());
  for (int64_t row = 0; row < noise.size(0); ++row) rows.push_back(data<float>(noise) + row * noise.size(1));
}

void check_positions(const int64_t *positions, int64_t count, const ct_one_step_head &head) {
  for (int64_t i = 0; i < count; ++i)
    TORCH_CHECK(positions[i] >= 0 && positions[i] < head.modulation->value.size(0), "a position of ", positions[i]);
}

}  // namespace

int ct_one_step_beliefs(int32_t *beliefs, const ct_one_step_head *head, ct_tensor noise, const int64_t *positions) {
  return guard([&] {
    check(*head);
    std::vector<const float *> rows;
    append(rows, noise->value, *head);
    check_positions(positions, noise->value.size(0), *head);
    write_beliefs(beliefs, data<float>(noise->value), positions, noise->value.size(0) * sizes(*head).chunk, *head);
  });
}

int ct_one_step_tokens(int32_t *tokens, const ct_one_step_head *head, const ct_tensor *noise, int batches,
                       const int32_t *beliefs, const int64_t *positions, const int64_t *places, int64_t count) {
  return guard([&] {
    check(*head);
    const Sizes size = sizes(*head);
    Candidates candidates{{}, beliefs, positions};
    for (int batch = 0; batch < batches; ++batch) append(candidates.noise, noise[batch]->value, *head);
    int64_t all = static_cast<int64_t>(candidates.noise.size()) * size.chunk;
    check_positions(positions, all / size.chunk, *head);
    for (int64_t i = 0; i < all; ++i) TORCH_CHECK(beliefs[i] < size.vocabulary, "a belief in token ", beliefs[i]);
    std::vector<int64_t> order(count), sorted(count);
    for (int64_t i = 0; i < count; ++i) TORCH_CHECK(places[i] >= 0 && places[i] < all, "a token at ", places[i]);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return places[a] % size.chunk < places[b] % size.chunk; });
    for (int64_t i = 0; i < count; ++i) sorted[i] = places[order[i]];
    with_element(head->vocabulary->value, [&]<typename T>() {
      Tokens<T> decoder(*head, candidates, std::min(kRows, count));
      int32_t found[kRows];
      for (int64_t first = 0; first < count; first += kRows) {
        int64_t n = std::min(kRows, count - first);
        decoder.write(found, &sorted[first], n);
        for (int64_t i = 0; i < n; ++i) tokens[order[first + i]] = found[i];
      }
    });
  });
}
