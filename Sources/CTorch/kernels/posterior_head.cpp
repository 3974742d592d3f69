// A posterior head at a point of its sampling paths: the mean embeddings and the most likely tokens of the posterior.
//
// With libtorch's operations, an evaluation takes about forty calls. Here it is one, and the logits of a few points
// stay in a cache from the evidence to the mean. Softmaxes and means are computed in slices of the vocabulary, each
// relative to its own largest logit, and joined. The bits of a point depend neither on the others nor on the number of
// threads.

#include <ATen/ops/empty_like.h>

#include <vector>

#include "adaptive_rows.h"
#include "posterior_rows.h"

using namespace ctorch;

namespace {

// The number of rows, one for each token of a point, that share a pass over the weights.
constexpr int64_t kRows = 48;

struct Sizes {
  int64_t chunk, hidden, vocabulary, code, slices, tokens;

  // The inputs of the first layer: a point and the beliefs about its tokens.
  int64_t inputs() const { return chunk * (code + hidden); }
  // The length of rows of V numbers in whole slices.
  int64_t logits() const { return slices * tokens; }
};

Sizes sizes(const ct_posterior_head &head) {
  const at::Tensor &prior = head.prior->value, &slices = head.vocabulary_slices->value;
  int64_t chunk = prior.size(0) / head.modulation->value.size(0);
  return {chunk,         head.vocabulary->value.size(1), prior.size(1), head.code_words->value.size(1), slices.size(0),
          slices.size(2)};
}

// The distributions of some rows over the vocabulary: numbers in proportion to the probabilities within each slice, and
// the factors of the slices.
class Distributions {
 public:
  Distributions(const Sizes &size, int64_t most)
      : size_(size),
        most_(most),
        numbers_(buffer(most * size.logits())),
        tops_(buffer(size.slices * most)),
        sums_(buffer(size.slices * most)) {}

  // The numbers of a row in a slice.
  float *numbers(int64_t row, int64_t slice) const { return &numbers_[row * size_.logits() + slice * size_.tokens]; }

  // Computes the numbers of a row in a slice from its logits.
  void read(const float *logits, int64_t row, int64_t slice) {
    int64_t count = std::min(size_.tokens, size_.vocabulary - slice * size_.tokens);
    float *numbers = this->numbers(row, slice);
    tops_[slice * most_ + row] = vectorized<exponentials>(numbers, logits, 1.0f, count);
    sums_[slice * most_ + row] = vectorized<total>(numbers, count);
    std::fill(numbers + count, numbers + size_.tokens, 0.0f);
  }

  // Computes the factors of the slices, once all were read.
  void join(int64_t rows) {
    for (int64_t row = 0; row < rows; ++row) {
      float top = tops_[row], sum = 0;
      for (int64_t slice = 1; slice < size_.slices; ++slice) top = std::max(top, tops_[slice * most_ + row]);
      for (int64_t slice = 0; slice < size_.slices; ++slice) {
        float &factor = tops_[slice * most_ + row];
        factor = std::exp(factor - top);
        sum += factor * sums_[slice * most_ + row];
      }
      for (int64_t slice = 0; slice < size_.slices; ++slice) tops_[slice * most_ + row] /= sum;
    }
  }

  // The means of a matrix with a row for each token, given in slices: means[row · stride + column].
  template <typename T>
  void average(float *means, int64_t stride, const at::Tensor &matrix, int64_t rows) const {
    int64_t panels = matrix.size(1), slice_size = panels * size_.tokens * kPanel;
    Buffer part = buffer(rows * stride);
    over_panels(panels, rows, size_.logits(), [&](int64_t begin, int64_t end) {
      int64_t from = begin * kPanel, count = (end - begin) * kPanel;
      for (int64_t slice = 0; slice < size_.slices; ++slice) {
        multiply_packed(part.get(), stride, numbers(0, slice), size_.logits(), rows, size_.tokens,
                        data<T>(matrix) + slice * slice_size, begin, end);
        for (int64_t row = 0; row < rows; ++row) {
          float *mean = &means[row * stride + from];
          if (slice == 0) std::fill_n(mean, count, 0.0f);
          vectorized<add_scaled>(mean, &part[row * stride + from], tops_[slice * most_ + row], count);
        }
      }
    });
  }

 private:
  const Sizes &size_;
  const int64_t most_;
  Buffer numbers_;
  // Of each slice and row: the largest logit and then the factor; the sum of the numbers.
  Buffer tops_, sums_;
};

template <typename T>
class Points {
 public:
  // most: the maximum number of points at once.
  Points(const ct_posterior_head &head, const float *points, int64_t most)
      : head_(head),
        size_(sizes(head)),
        points_(points),
        belief_stride_(panel_count(size_.hidden) * kPanel),
        mean_stride_(panel_count(size_.code) * kPanel),
        evidence_(buffer(most * size_.chunk * size_.code)),
        known_(buffer(most * size_.chunk * size_.logits())),
        averages_(buffer(most * size_.chunk * std::max(belief_stride_, mean_stride_))),
        inputs_(buffer(most * size_.inputs())),
        distributions_(size_, most * size_.chunk),
        network_(head.network, size_.hidden, most * size_.chunk) {}

  // Writes the mean embeddings of points first..<first + count.
  void write_means(float *means, int64_t first, int64_t count) {
    int64_t rows = couple(first, count);
    in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
      multiply_vocabulary(slice, rows);
      for (int64_t row = 0; row < rows; ++row) {
        float *logits = distributions_.numbers(row, slice);
        vectorized<add>(logits, known(row, slice), end - begin);
        distributions_.read(logits, row, slice);
      }
    });
    distributions_.join(rows);
    distributions_.average<float>(averages_.get(), mean_stride_, head_.code_word_slices->value, rows);
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(&averages_[row * mean_stride_], size_.code, means + (first * size_.chunk + row) * size_.code);
  }

  // Writes the most likely tokens of points first..<first + count.
  void write_tokens(int32_t *tokens, int64_t first, int64_t count) {
    int64_t rows = couple(first, count);
    std::vector<Choice> found(size_.slices * rows);
    in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
      multiply_vocabulary(slice, rows);
      for (int64_t row = 0; row < rows; ++row)
        found[row * size_.slices + slice] =
            vectorized<most_likely>(distributions_.numbers(row, slice), known(row, slice), begin, end - begin);
    });
    for (int64_t row = 0; row < rows; ++row) {
      Choice choice;
      for (int64_t slice = 0; slice < size_.slices; ++slice) choice.consider(found[row * size_.slices + slice]);
      tokens[first * size_.chunk + row] = choice.token;
    }
  }

 private:
  // Calls body(slice, begin, end) for the tokens of each slice.
  template <typename Body>
  void in_slices(int64_t rows, const Body &body) const {
    int64_t work = std::max<int64_t>(rows, 3) * size_.tokens * size_.code;
    parallel_for(size_.slices, std::max<int64_t>(1, (1 << 15) / work), [&](int64_t first, int64_t last) {
      for (int64_t slice = first; slice < last; ++slice)
        body(slice, slice * size_.tokens, std::min(size_.vocabulary, (slice + 1) * size_.tokens));
    });
  }

  // The logits of a row under prior and evidence, in a slice.
  float *known(int64_t row, int64_t slice) const { return &known_[row * size_.logits() + slice * size_.tokens]; }

  // Computes the coupling of some points, all but its last product. Returns the number of rows.
  int64_t couple(int64_t first, int64_t count) {
    int64_t rows = count * size_.chunk, code = size_.code, h = size_.hidden,
            positions = head_.modulation->value.size(0);
    const float *precision = data<float>(head_.precision->value);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < code; ++i)
        evidence_[row * code + i] = precision[row % size_.chunk] * points_[(first * size_.chunk + row) * code + i];
    in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
      multiply_packed(known_.get(), size_.logits(), evidence_.get(), code, rows, code,
                      data<float>(head_.code_words->value), begin / kPanel, panel_count(end));
      for (int64_t row = 0; row < rows; ++row) {
        int64_t position = (first + row / size_.chunk) % positions, prior = position * size_.chunk + row % size_.chunk;
        vectorized<add>(known(row, slice), data<float>(head_.prior->value) + prior * size_.vocabulary + begin,
                        end - begin);
        distributions_.read(known(row, slice), row, slice);
      }
    });
    distributions_.join(rows);
    distributions_.average<T>(averages_.get(), belief_stride_, head_.vocabulary_slices->value, rows);
    for (int64_t i = 0; i < count; ++i) {
      float *inputs =
          std::copy_n(points_ + (first + i) * size_.chunk * code, size_.chunk * code, &inputs_[i * size_.inputs()]);
      for (int64_t part = 0; part < size_.chunk; ++part)
        inputs = std::copy_n(&averages_[(i * size_.chunk + part) * belief_stride_], h, inputs);
    }
    mix(count);
    std::vector<const float *> modulations(rows);
    for (int64_t row = 0; row < rows; ++row) {
      const at::Tensor &all = head_.modulation->value;
      modulations[row] = data<float>(all) + (first + row / size_.chunk) % positions * all.size(1);
    }
    network_.apply(modulations.data(), rows);
    return rows;
  }

  // The first layer, of all points at once for each of the K tokens.
  void mix(int64_t count) {
    int64_t h = size_.hidden, panels = panel_count(h), all = size_.chunk * panels;
    over_panels(all, count, size_.inputs(), [&](int64_t begin, int64_t end) {
      for (int64_t first = begin, last; first < end; first = last) {
        int64_t part = first / panels, start = part * panels;
        last = std::min(end, start + panels);
        multiply_packed(network_.input(part), size_.chunk * network_.stride(), inputs_.get(), size_.inputs(), count,
                        size_.inputs(), data<T>(head_.input_weight->value) + start * size_.inputs() * kPanel,
                        first - start, last - start);
        int64_t from = (first - start) * kPanel, outputs = std::min(h, (last - start) * kPanel) - from;
        for (int64_t i = 0; i < count; ++i)
          vectorized<add_bias<T>>(network_.input(i * size_.chunk + part) + from,
                                  data<T>(head_.input_bias->value) + part * h + from, outputs);
      }
    });
  }

  // The product of the coupling and the vocabulary, in a slice.
  void multiply_vocabulary(int64_t slice, int64_t rows) {
    int64_t begin = slice * size_.tokens, end = std::min(size_.vocabulary, begin + size_.tokens);
    multiply_packed(distributions_.numbers(0, 0), size_.logits(), network_.output(0), network_.stride(), rows,
                    size_.hidden, data<T>(head_.vocabulary->value), begin / kPanel, panel_count(end));
  }

  const ct_posterior_head &head_;
  const Sizes size_;
  const float *points_;
  const int64_t belief_stride_, mean_stride_;
  Buffer evidence_, known_, averages_, inputs_;
  Distributions distributions_;
  AdaptiveRows<T> network_;
};

void check(const ct_posterior_head &head, const at::Tensor &points) {
  const at::Tensor &vocabulary = head.vocabulary->value, &prior = head.prior->value;
  TORCH_CHECK(is_supported(vocabulary) && vocabulary.dim() == 3 && prior.dim() == 2 &&
                  head.code_words->value.dim() == 3 && head.vocabulary_slices->value.dim() == 4 &&
                  head.code_word_slices->value.dim() == 4 && head.modulation->value.dim() == 2 &&
                  head.modulation->value.size(0) > 0,
              "a vocabulary of ", vocabulary.sizes());
  const Sizes size = sizes(head);
  at::ScalarType type = vocabulary.scalar_type();
  int64_t h = size.hidden, panels = panel_count(h), positions = head.modulation->value.size(0);
  TORCH_CHECK(
      size.tokens % kPanel == 0 && size.logits() >= size.vocabulary && size.logits() - size.tokens < size.vocabulary,
      size.slices, " slices of ", size.tokens, " tokens for a vocabulary of ", size.vocabulary);
  check_numbers(head.vocabulary, type, panel_count(size.vocabulary), h * kPanel);
  check_numbers(head.code_words, at::kFloat, panel_count(size.vocabulary), size.code * kPanel);
  check_numbers(head.vocabulary_slices, type, size.slices, panels * size.tokens * kPanel);
  check_numbers(head.code_word_slices, at::kFloat, size.slices, panel_count(size.code) * size.tokens * kPanel);
  check_numbers(head.prior, at::kFloat, positions * size.chunk, size.vocabulary);
  check_numbers(head.modulation, at::kFloat, positions, (3 * head.network.block_count + 2) * h);
  check_numbers(head.precision, at::kFloat, size.chunk, 1);
  check_numbers(head.input_weight, type, size.chunk, panels * size.inputs() * kPanel);
  check_numbers(head.input_bias, type, size.chunk * h, 1);
  check_network(head.network, type, h);
  TORCH_CHECK(points.device().is_cpu() && points.scalar_type() == at::kFloat && points.dim() == 3 &&
                  points.is_contiguous() && points.size(1) == positions && points.size(2) == size.chunk * size.code,
              "points of ", points.sizes());
}

// Calls body(points, first, count) for groups of points.
template <typename Body>
void in_groups(const ct_posterior_head &head, const at::Tensor &points, const Body &body) {
  check(head, points);
  int64_t all = points.size(0) * points.size(1), most = std::max<int64_t>(1, kRows / sizes(head).chunk);
  with_element(head.vocabulary->value, [&]<typename T>() {
    Points<T> group(head, data<float>(points), std::min(most, all));
    for (int64_t first = 0; first < all; first += most) body(group, first, std::min(most, all - first));
  });
}

}  // namespace

int ct_posterior_means(ct_tensor *out, const ct_posterior_head *head, ct_tensor points) {
  return make(out, [&] {
    at::Tensor means = at::empty_like(points->value);
    in_groups(*head, points->value,
              [&](auto &group, int64_t first, int64_t count) { group.write_means(data<float>(means), first, count); });
    return means;
  });
}

int ct_posterior_tokens(int32_t *tokens, const ct_posterior_head *head, ct_tensor points) {
  return guard([&] {
    in_groups(*head, points->value,
              [&](auto &group, int64_t first, int64_t count) { group.write_tokens(tokens, first, count); });
  });
}
