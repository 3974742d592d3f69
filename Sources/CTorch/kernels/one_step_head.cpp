// A one-step posterior head for the candidates of a few positions.
//
// With libtorch's operations, an evaluation takes about seventy calls and computes all K tokens of each candidate. The
// choice among candidates compares them token by token, and stops where they differ. Here an evaluation has two parts,
// one call each: the belief of a candidate, which depends on the noise of all K tokens, and a token, which depends on
// nothing but the belief. The bits of a candidate do not depend on the others.

#include <ATen/ops/empty.h>

#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "../support.h"
#include "parallel.h"
#include "skinny_gemm.h"
#include "vectorized.h"

using namespace ctorch;

namespace {

// The number of rows that share a pass over the weights.
constexpr int64_t kRows = 48;

// x += y.
INLINE void add(float *x, const float *y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += y[i];
}

// Adds the prior to the logits. Returns the first of the largest ones, or -1 if one is not finite.
INLINE int32_t most_likely(float *logits, const float *prior, int64_t size) {
  ANY_ORDER
  float zeros = 0;
  for (int64_t i = 0; i < size; ++i) {
    logits[i] += prior[i];
    zeros += logits[i] * 0.0f;  // NaN if a logit is not finite
  }
  if (!(zeros == 0.0f)) return -1;
  float top = largest(logits, size);
  int64_t token = 0;
  while (token < size - 1 && logits[token] != top) ++token;
  return static_cast<int32_t>(token);
}

// (x − mean) / √(variance + ε) · (1 + scale) + shift, where weight and bias, if not null, come before scale and shift.
template <typename T>
INLINE void normalize(float *y, const float *x, const T *weight, const T *bias, const float *shift, const float *scale,
                      int64_t size, float epsilon) {
  ANY_ORDER
  float mean = 0, square = 0;
  for (int64_t i = 0; i < size; ++i) mean += x[i];
  mean /= static_cast<float>(size);
  for (int64_t i = 0; i < size; ++i) square += (x[i] - mean) * (x[i] - mean);
  float r = 1.0f / std::sqrt(square / static_cast<float>(size) + epsilon);
  if (weight)
    for (int64_t i = 0; i < size; ++i)
      y[i] = ((x[i] - mean) * r * load(weight[i]) + load(bias[i])) * (1 + scale[i]) + shift[i];
  else
    for (int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * r * (1 + scale[i]) + shift[i];
}

template <typename T>
INLINE void widen(float *y, const T *x, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = load(x[i]);
}

template <typename T>
INLINE void add_bias(float *x, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += load(bias[i]);
}

template <typename T>
INLINE void activate(float *x, const T *bias, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] = silu(x[i] + load(bias[i]));
}

template <typename T>
INLINE void add_gated(float *x, const float *y, const T *bias, const float *gate, int64_t size) {
  for (int64_t i = 0; i < size; ++i) x[i] += gate[i] * (y[i] + load(bias[i]));
}

// Numbers that are written before they are read.
using Buffer = std::unique_ptr<float[]>;
Buffer buffer(int64_t count) { return std::make_unique_for_overwrite<float[]>(count); }

struct Sizes {
  int64_t chunk, hidden, vocabulary, code;
  // Those of the rows of the beliefs.
  int64_t inputs() const { return chunk * (code + hidden); }
};

Sizes sizes(const ct_one_step_head &head) {
  const at::Tensor &vocabulary = head.vocabulary->value, &words = head.code_words->value;
  return {head.input_weight->value.size(0) / vocabulary.size(1), vocabulary.size(1), vocabulary.size(0), words.size(0)};
}

// Calls body(begin, end) for slices of the columns of a product, one per thread: so each weight is read by one thread.
//
// work: multiply-adds per column.
template <typename Body>
void over_columns(int64_t columns, int64_t work, const Body &body) {
  constexpr int64_t unit = 32;  // two vectors of AVX-512
  int64_t units = (columns + unit - 1) / unit;
  parallel_for(units, std::max<int64_t>(1, (1 << 17) / (work * unit)),
               [&](int64_t first, int64_t last) { body(first * unit, std::min(columns, last * unit)); });
}

// Calls body(row) for 0..<rows.
template <typename Body>
void over_rows(int64_t rows, const Body &body) {
  parallel_for(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

void scale(float *scaled, const float *points, int64_t count, const ct_one_step_head &head) {
  for (int64_t i = 0; i < count; ++i) scaled[i] = static_cast<float>(head.scale) * points[i];
}

// evidence[r · V + v] = ⟨e(v), points[r]⟩ for tokens v in begin..<end. points: scaled, [rows][d].
void weigh(float *evidence, const float *points, int64_t rows, const ct_one_step_head &head, const Sizes &size,
           int64_t begin, int64_t end) {
  skinny_matmul(evidence, size.vocabulary, points, rows, size.code, data<float>(head.code_words->value),
                size.vocabulary, begin, end);
}

template <typename T>
void write_beliefs(float *out, const float *noise, const int64_t *positions, int64_t chunks,
                   const ct_one_step_head &head) {
  const Sizes size = sizes(head);
  int64_t count = chunks * size.chunk, most = std::min(kRows, count);
  Buffer points = buffer(most * size.code), known = buffer(most * size.vocabulary);
  for (int64_t first = 0; first < count; first += kRows) {
    int64_t rows = std::min(kRows, count - first);
    scale(points.get(), noise + first * size.code, rows * size.code, head);
    over_columns(size.vocabulary, rows * size.code,
                 [&](int64_t begin, int64_t end) { weigh(known.get(), points.get(), rows, head, size, begin, end); });
    over_rows(rows, [&](int64_t row) {
      int64_t chunk = (first + row) / size.chunk, part = (first + row) % size.chunk;
      int32_t token = vectorized<most_likely>(
          &known[row * size.vocabulary],
          data<float>(head.prior->value) + (positions[chunk] * size.chunk + part) * size.vocabulary, size.vocabulary);
      float *belief = out + chunk * size.inputs();
      std::copy_n(noise + (first + row) * size.code, size.code, belief + part * size.code);
      float *embedding = belief + size.chunk * size.code + part * size.hidden;
      if (token < 0)
        std::fill_n(embedding, size.hidden, std::numeric_limits<float>::quiet_NaN());
      else
        vectorized<widen<T>>(embedding, data<T>(head.vocabulary->value) + token * size.hidden, size.hidden);
    });
  }
}

// The tokens at some places, chunk · K + part, which are sorted by part.
template <typename T>
class Tokens {
 public:
  // most: the maximum number of places at once.
  Tokens(const ct_one_step_head &head, const float *const *beliefs, const int64_t *positions, int64_t most)
      : head_(head),
        size_(sizes(head)),
        beliefs_(beliefs),
        positions_(positions),
        inputs_(buffer(most * size_.inputs())),
        points_(buffer(most * size_.code)),
        x_(buffer(most * size_.hidden)),
        normal_(buffer(most * size_.hidden)),
        inner_(buffer(most * size_.hidden)),
        logits_(buffer(most * size_.vocabulary)),
        evidence_(buffer(most * size_.vocabulary)) {}

  void write(int32_t *out, const int64_t *places, int64_t rows) {
    mix(places, rows);
    for (int i = 0; i < head_.block_count; ++i) take(head_.blocks[i], 3 * i * size_.hidden, places, rows);
    finish(places, rows);
    over_rows(rows, [&](int64_t row) {
      int64_t prior = position(places[row]) * size_.chunk + part(places[row]);
      float *logits = &logits_[row * size_.vocabulary];
      vectorized<add>(logits, &evidence_[row * size_.vocabulary], size_.vocabulary);
      out[row] = vectorized<most_likely>(
          logits, data<float>(head_.prior->value) + prior * size_.vocabulary, size_.vocabulary);
    });
  }

 private:
  static constexpr float kEpsilon = 1e-6f;

  int64_t part(int64_t place) const { return place % size_.chunk; }
  int64_t position(int64_t place) const { return positions_[place / size_.chunk]; }

  // The shifts, scales and gates of a place.
  const float *modulation(int64_t place) const {
    const at::Tensor &all = head_.modulation->value;
    return data<float>(all) + position(place) * all.size(1);
  }

  // The first layer. Of its outputs, each part needs its own.
  void mix(const int64_t *places, int64_t rows) {
    int64_t h = size_.hidden, inputs = size_.inputs();
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(beliefs_[places[row] / size_.chunk], inputs, &inputs_[row * inputs]);
    over_columns(h, rows * inputs, [&](int64_t begin, int64_t end) {
      for (int64_t first = 0, last; first < rows; first = last) {
        int64_t part = this->part(places[first]);
        for (last = first + 1; last < rows && this->part(places[last]) == part;) ++last;
        skinny_gemm(&x_[first * h], h, &inputs_[first * inputs], last - first, inputs,
                    data<T>(head_.input_weight->value) + part * h * inputs, inputs, begin, end);
        for (int64_t row = first; row < last; ++row)
          vectorized<add_bias<T>>(&x_[row * h + begin], data<T>(head_.input_bias->value) + part * h + begin,
                                  end - begin);
      }
    });
  }

  void take(const ct_one_step_block &block, int64_t modulations, const int64_t *places, int64_t rows) {
    int64_t h = size_.hidden;
    over_rows(rows, [&](int64_t row) {
      const float *shift = modulation(places[row]) + modulations;
      vectorized<normalize<T>>(&normal_[row * h], &x_[row * h], data<T>(block.norm_weight->value),
                               data<T>(block.norm_bias->value), shift, shift + h, h, kEpsilon);
    });
    product(inner_, normal_, block.hidden_weight, rows, [&](int64_t row, int64_t begin, int64_t end) {
      vectorized<activate<T>>(&inner_[row * h + begin], data<T>(block.hidden_bias->value) + begin, end - begin);
    });
    product(normal_, inner_, block.output_weight, rows, [&](int64_t row, int64_t begin, int64_t end) {
      const float *gate = modulation(places[row]) + modulations + 2 * h;
      vectorized<add_gated<T>>(&x_[row * h + begin], &normal_[row * h + begin],
                               data<T>(block.output_bias->value) + begin, gate + begin, end - begin);
    });
  }

  // The logits without the prior, and the evidence.
  void finish(const int64_t *places, int64_t rows) {
    int64_t h = size_.hidden, last = 3 * head_.block_count * h;
    over_rows(rows, [&](int64_t row) {
      const float *shift = modulation(places[row]) + last;
      vectorized<normalize<T>>(&normal_[row * h], &x_[row * h], nullptr, nullptr, shift, shift + h, h, kEpsilon);
      scale(&points_[row * size_.code], &inputs_[row * size_.inputs() + part(places[row]) * size_.code], size_.code,
            head_);
    });
    product(x_, normal_, head_.output_weight, rows, [&](int64_t row, int64_t begin, int64_t end) {
      vectorized<add_bias<T>>(&x_[row * h + begin], data<T>(head_.output_bias->value) + begin, end - begin);
    });
    over_columns(size_.vocabulary, rows * h, [&](int64_t begin, int64_t end) {
      skinny_gemm(logits_.get(), size_.vocabulary, x_.get(), rows, h, data<T>(head_.vocabulary->value), h, begin, end);
      weigh(evidence_.get(), points_.get(), rows, head_, size_, begin, end);
    });
  }

  // y = x·weightᵀ of [h, h], then finish(row, begin, end) for slices of its columns.
  template <typename Finish>
  void product(const Buffer &y, const Buffer &x, ct_tensor weight, int64_t rows, const Finish &finish) {
    int64_t h = size_.hidden;
    over_columns(h, rows * h, [&](int64_t begin, int64_t end) {
      skinny_gemm(y.get(), h, x.get(), rows, h, data<T>(weight->value), h, begin, end);
      for (int64_t row = 0; row < rows; ++row) finish(row, begin, end);
    });
  }

  const ct_one_step_head &head_;
  const Sizes size_;
  const float *const *beliefs_;  // of each candidate
  const int64_t *positions_;
  Buffer inputs_, points_, x_, normal_, inner_, logits_, evidence_;
};

void check(const ct_one_step_head &head) {
  const at::Tensor &vocabulary = head.vocabulary->value;
  TORCH_CHECK(is_supported(vocabulary) && vocabulary.dim() == 2 && vocabulary.is_contiguous(), "a vocabulary of ",
              vocabulary.sizes());
  const Sizes size = sizes(head);
  auto check = [&](ct_tensor handle, at::ScalarType type, int64_t rows, int64_t columns) {
    const at::Tensor &tensor = handle->value;
    TORCH_CHECK(tensor.is_contiguous() && tensor.device().is_cpu() && tensor.scalar_type() == type &&
                    tensor.numel() == rows * columns && tensor.size(0) == rows,
                "numbers of ", tensor.sizes(), " where ", rows, " by ", columns, " are needed");
  };
  at::ScalarType type = vocabulary.scalar_type();
  int64_t h = size.hidden, positions = head.modulation->value.size(0);
  check(head.code_words, at::kFloat, size.code, size.vocabulary);
  check(head.prior, at::kFloat, positions * size.chunk, size.vocabulary);
  check(head.modulation, at::kFloat, positions, (3 * head.block_count + 2) * h);
  check(head.input_weight, type, size.chunk * h, size.inputs());
  check(head.input_bias, type, size.chunk * h, 1);
  for (int i = 0; i < head.block_count; ++i) {
    for (ct_tensor vector :
         {head.blocks[i].norm_weight, head.blocks[i].norm_bias, head.blocks[i].hidden_bias, head.blocks[i].output_bias})
      check(vector, type, h, 1);
    for (ct_tensor matrix : {head.blocks[i].hidden_weight, head.blocks[i].output_weight}) check(matrix, type, h, h);
  }
  check(head.output_weight, type, h, h);
  check(head.output_bias, type, h, 1);
}

void check(const ct_one_step_head &head, const at::Tensor &rows, int64_t columns, const int64_t *positions) {
  check(head);
  TORCH_CHECK(rows.device().is_cpu() && rows.scalar_type() == at::kFloat && rows.dim() == 2 && rows.size(1) == columns,
              "candidates of ", rows.sizes());
  for (int64_t i = 0; i < rows.size(0); ++i)
    TORCH_CHECK(positions[i] >= 0 && positions[i] < head.modulation->value.size(0), "a position of ", positions[i]);
}

}  // namespace

int ct_one_step_beliefs(ct_tensor *out, const ct_one_step_head *head, ct_tensor noise, const int64_t *positions) {
  return make(out, [&] {
    const Sizes size = sizes(*head);
    at::Tensor points = noise->value.contiguous();
    check(*head, points, size.chunk * size.code, positions);
    at::Tensor beliefs = at::empty({points.size(0), size.inputs()}, points.options());
    with_element(head->vocabulary->value, [&]<typename T>() {
      write_beliefs<T>(data<float>(beliefs), data<float>(points), positions, points.size(0), *head);
    });
    return beliefs;
  });
}

int ct_one_step_tokens(int32_t *tokens, const ct_one_step_head *head, const ct_tensor *beliefs, int batches,
                       const int64_t *positions, const int64_t *places, int64_t count) {
  return guard([&] {
    const Sizes size = sizes(*head);
    std::vector<const float *> rows;
    for (int batch = 0; batch < batches; ++batch) {
      const at::Tensor &values = beliefs[batch]->value;
      TORCH_CHECK(values.is_contiguous(), "beliefs with gaps");
      check(*head, values, size.inputs(), positions + rows.size());
      for (int64_t row = 0; row < values.size(0); ++row) rows.push_back(data<float>(values) + row * size.inputs());
    }
    std::vector<int64_t> order(count), sorted(count);
    for (int64_t i = 0; i < count; ++i)
      TORCH_CHECK(places[i] >= 0 && places[i] < static_cast<int64_t>(rows.size()) * size.chunk, "a token at ",
                  places[i]);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return places[a] % size.chunk < places[b] % size.chunk; });
    for (int64_t i = 0; i < count; ++i) sorted[i] = places[order[i]];
    with_element(head->vocabulary->value, [&]<typename T>() {
      Tokens<T> decoder(*head, rows.data(), positions, std::min(kRows, count));
      int32_t found[kRows];
      for (int64_t first = 0; first < count; first += kRows) {
        int64_t n = std::min(kRows, count - first);
        decoder.write(found, &sorted[first], n);
        for (int64_t i = 0; i < n; ++i) tokens[order[first + i]] = found[i];
      }
    });
  });
}
