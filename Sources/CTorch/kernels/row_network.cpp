// Rows through a network that sees each by itself, such as the generative head and the autoencoder's decoder.
//
// Operation by operation, a few hundred rows cost less in arithmetic than in calls, in threads that wait for each other
// after each of them, and in the repacking of weights. Here a thread takes its rows through all layers in its own
// second-level cache. Numbers lie by feature, [size][rows]: so tiles of products come out and go in, and norms and
// activations are plain loops over rows. A thread reads each weight once for 128 rows.
//
// Only weights and what goes into products are rounded to bfloat16. What becomes of a row depends on no other.

#include <ATen/ops/empty.h>

#include "../support.h"
#include "few_rows.h"
#include "parallel.h"
#include "tiles.h"
#include "vectorized.h"

using namespace ctorch;

#ifdef CTORCH_TILES

namespace {

// Groups of sixteen rows that go through the network together.
constexpr int64_t most_groups = 8;

// MARK: Loops over features and rows

VECTORIZED void layer_norm(float *x, float *sums, const bf16 *weight, const bf16 *bias, int64_t size, int64_t stride,
                           float epsilon) {
  ANY_ORDER
  float *means = sums, *squares = sums + stride;
  for (int64_t row = 0; row < stride; ++row) means[row] = squares[row] = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) means[row] += x[i * stride + row];
  for (int64_t row = 0; row < stride; ++row) means[row] /= static_cast<float>(size);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) {
      float centred = x[i * stride + row] - means[row];
      squares[row] += centred * centred;
    }
  for (int64_t row = 0; row < stride; ++row)
    squares[row] = 1.0f / std::sqrt(squares[row] / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) {
    float scale = load(weight[i]), shift = load(bias[i]);
    for (int64_t row = 0; row < stride; ++row)
      x[i * stride + row] = (x[i * stride + row] - means[row]) * squares[row] * scale + shift;
  }
}

VECTORIZED void rms_norm(float *x, float *sums, const bf16 *weight, int64_t size, int64_t stride, float epsilon) {
  ANY_ORDER
  for (int64_t row = 0; row < stride; ++row) sums[row] = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t row = 0; row < stride; ++row) sums[row] += x[i * stride + row] * x[i * stride + row];
  for (int64_t row = 0; row < stride; ++row)
    sums[row] = 1.0f / std::sqrt(sums[row] / static_cast<float>(size) + epsilon);
  for (int64_t i = 0; i < size; ++i) {
    float scale = load(weight[i]);
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] *= sums[row] * scale;
  }
}

VECTORIZED void add_bias(float *x, const bf16 *bias, int64_t size, int64_t stride) {
  for (int64_t i = 0; i < size; ++i) {
    float shift = load(bias[i]);
    for (int64_t row = 0; row < stride; ++row) x[i * stride + row] += shift;
  }
}

VECTORIZED void add(float *x, const float *y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] += y[i];
}

VECTORIZED void activate(float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = x[i] / (1.0f + exponential(-x[i]));
}

VECTORIZED void gate(float *gates, const float *up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gates[i] = gates[i] / (1.0f + exponential(-gates[i])) * up[i];
}

// MARK: From rows to features and back

// The pairs of features 2i and 2i + 1 of sixteen rows, as tiles want them.
TILED INLINE __m512i pairs(const float *feature, int64_t stride) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(feature + stride), _mm512_loadu_ps(feature));
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i &>(both));
}

TILED void pack(bf16 *packed, const float *x, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group, packed += tile_rows * size)
    for (int64_t i = 0; i < size; i += 2)
      _mm512_storeu_si512(packed + i * tile_rows, pairs(x + i * stride + group * tile_rows, stride));
}

// rows: those that are there; the others become zeros.
TILED void load_rows(float *x, bf16 *packed, const bf16 *source, int64_t rows, int64_t groups, int64_t size,
                     int64_t stride) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  for (int64_t group = 0; group < groups; ++group, packed += tile_rows * size) {
    pack_rows(packed, source + group * tile_rows * size, std::min(tile_rows, rows - group * tile_rows), size);
    for (int64_t i = 0; i < size; i += 2) {
      __m512i both = _mm512_loadu_si512(packed + i * tile_rows);
      float *place = x + i * stride + group * tile_rows;
      _mm512_storeu_ps(place, _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)));
      _mm512_storeu_ps(place + stride, _mm512_castsi512_ps(_mm512_and_si512(both, upper)));
    }
  }
}

TILED void store_rows(bf16 *y, const float *x, int64_t rows, int64_t groups, int64_t size, int64_t stride) {
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t i = 0; i < size; i += tile_depth) {
      __m512 r[tile_rows];
      for (int64_t pair = 0; pair < tile_rows; ++pair)
        r[pair] = _mm512_castsi512_ps(pairs(x + (i + 2 * pair) * stride + group * tile_rows, stride));
      transpose(r);
      for (int64_t row = 0; row < std::min(tile_rows, rows - group * tile_rows); ++row)
        _mm512_storeu_ps(y + (group * tile_rows + row) * size + i, r[row]);
    }
}

TILED void multiply(float *y, const bf16 *packed, int64_t groups, int64_t size, int64_t stride,
                    const at::Tensor &weight) {
  int64_t outputs = weight.size(0), w_stride = weight.stride(0);
  const bf16 *w = data<bf16>(weight);
  TileScope scope;
  for (int64_t output = 0; output < outputs; output += 2 * tile_rows, w += 2 * tile_rows * w_stride)
    for (int64_t group = 0; group < groups; group += 2) {
      const bf16 *x = packed + group * tile_rows * size;
      float *upper = y + output * stride + group * tile_rows, *lower = upper + tile_rows * stride;
      if (group + 1 < groups) {
        sum_products<2>(w, w_stride, x, size);
        _tile_stored(1, upper + tile_rows, stride * 4);
        _tile_stored(3, lower + tile_rows, stride * 4);
      } else {
        sum_products<1>(w, w_stride, x, size);
      }
      _tile_stored(0, upper, stride * 4);
      _tile_stored(2, lower, stride * 4);
    }
}

// MARK: The network

at::Tensor tensor(ct_tensor handle) { return handle ? handle->value : at::Tensor(); }

// What a step makes of rows of a size: the new size, or 0 where it is not served.
int64_t size_after(const ct_row_step &step, int64_t size) {
  auto is_vector = [](const at::Tensor &tensor, int64_t size) {
    return tensor.defined() && tensor.scalar_type() == at::kBFloat16 && tensor.dim() == 1 && tensor.size(0) == size &&
           tensor.is_contiguous() && tensor.device().is_cpu();
  };
  auto is_matrix = [&](const at::Tensor &tensor) {
    return tensor.defined() && tensor.scalar_type() == at::kBFloat16 && tensor.dim() == 2 && tensor.size(1) == size &&
           tensor.stride(1) == 1 && tensor.size(0) % (2 * tile_rows) == 0 && tensor.device().is_cpu();
  };
  at::Tensor weight = tensor(step.weight), other = tensor(step.other);
  switch (step.kind) {
    case CT_LINEAR:
      return is_matrix(weight) && (!other.defined() || is_vector(other, weight.size(0))) ? weight.size(0) : 0;
    case CT_LAYER_NORM: return is_vector(weight, size) && is_vector(other, size) ? size : 0;
    case CT_RMS_NORM: return is_vector(weight, size) ? size : 0;
    case CT_SILU_PLUS:
      return is_vector(other, size) || (other.defined() && other.dim() == 2 && other.size(1) == size &&
                                        other.scalar_type() == at::kBFloat16 && other.is_contiguous())
                 ? size
                 : 0;
    case CT_HALVES: return is_vector(other, size) && size % (2 * tile_depth) == 0 ? size / 2 : 0;
    case CT_GATED:
      return is_matrix(weight) && is_matrix(other) && weight.size(0) == other.size(0) ? weight.size(0) : 0;
    case CT_KEEP: return size;
    case CT_UNFUSED: return 0;
  }
  return 0;
}

// Up to 128 rows on their way through the network.
class Slice {
 public:
  // widest: the most features between two steps.
  Slice(const bf16 *source, int64_t first, int64_t rows, int64_t size, int64_t widest)
      : first_(first), rows_(rows), size_(size), groups_((rows + tile_rows - 1) / tile_rows),
        stride_(groups_ * tile_rows) {
    // Kept by the thread: memory that is new each time would cost more than the arithmetic.
    static thread_local std::vector<float> numbers[3], sums;
    static thread_local std::vector<bf16> packed;
    for (auto &buffer : numbers)
      if (static_cast<int64_t>(buffer.size()) < widest * stride_) buffer.resize(widest * stride_);
    if (static_cast<int64_t>(packed.size()) < widest * stride_) packed.resize(widest * stride_);
    sums.resize(2 * most_groups * tile_rows);
    x_ = numbers[0].data(), next_ = numbers[1].data(), kept_ = numbers[2].data();
    packed_ = packed.data(), sums_ = sums.data();
    load_rows(x_, packed_, source, rows_, groups_, size_, stride_);
  }

  void take(const ct_row_step &step) {
    const at::Tensor weight = tensor(step.weight), other = tensor(step.other);
    float epsilon = static_cast<float>(step.epsilon);
    if (step.kind == CT_LINEAR || step.kind == CT_GATED) {
      if (!is_packed_) pack(packed_, x_, groups_, size_, stride_);
    }
    switch (step.kind) {
      case CT_LINEAR: product(weight, other, step.adds_kept); break;
      case CT_GATED: gated(weight, other); break;
      case CT_LAYER_NORM:
        layer_norm(x_, sums_, data<bf16>(weight), data<bf16>(other), size_, stride_, epsilon);
        break;
      case CT_RMS_NORM: rms_norm(x_, sums_, data<bf16>(weight), size_, stride_, epsilon); break;
      case CT_SILU_PLUS:
        add_summand(other);
        activate(x_, size_ * stride_);
        break;
      case CT_HALVES:
        add_bias(x_, data<bf16>(other), size_, stride_);
        size_ /= 2;
        gate(x_, x_ + size_ * stride_, size_ * stride_);
        break;
      case CT_KEEP: std::copy_n(x_, size_ * stride_, kept_); return;
      case CT_UNFUSED: return;
    }
    is_packed_ = false;
  }

  void store(bf16 *y) const { store_rows(y, x_, rows_, groups_, size_, stride_); }

 private:
  void product(const at::Tensor &weight, const at::Tensor &bias, bool adds_kept) {
    multiply(next_, packed_, groups_, size_, stride_, weight);
    std::swap(x_, next_);
    size_ = weight.size(0);
    if (bias.defined()) add_bias(x_, data<bf16>(bias), size_, stride_);
    if (adds_kept) add(x_, kept_, size_ * stride_);
  }

  void gated(const at::Tensor &weight, const at::Tensor &up) {
    int64_t count = weight.size(0) * stride_;
    multiply(next_, packed_, groups_, size_, stride_, weight);
    multiply(x_, packed_, groups_, size_, stride_, up);
    gate(next_, x_, count);
    std::swap(x_, next_);
    size_ = weight.size(0);
  }

  // One for all rows, or one for each of the rows that come again and again.
  void add_summand(const at::Tensor &summand) {
    if (summand.dim() == 1 || summand.size(0) == 1) return add_bias(x_, data<bf16>(summand), size_, stride_);
    static thread_local std::vector<bf16> rows;
    rows.resize(rows_ * size_);
    for (int64_t row = 0; row < rows_; ++row)
      std::copy_n(data<bf16>(summand) + (first_ + row) % summand.size(0) * size_, size_, rows.data() + row * size_);
    load_rows(next_, packed_, rows.data(), rows_, groups_, size_, stride_);
    add(x_, next_, size_ * stride_);
  }

  const int64_t first_, rows_;
  int64_t size_;
  const int64_t groups_, stride_;
  float *x_, *next_, *kept_, *sums_;  // [size][stride]
  bf16 *packed_;                      // [groups][size / 2][16][2]
  // Whether `packed_` has what `x_` has.
  bool is_packed_ = true;
};

}  // namespace

int ct_row_network_serves(ct_tensor x, const ct_row_step *steps, int count) {
  const at::Tensor &rows = x->value;
  if (c10::GradMode::is_enabled() || !rows.device().is_cpu() || rows.scalar_type() != at::kBFloat16 || rows.dim() < 1)
    return 0;
  int64_t size = rows.size(-1);
  if (size == 0 || size % tile_depth != 0 || rows.numel() <= few_rows * size || !has_tiles()) return 0;
  // Each thread has a group at least.
  if ((rows.numel() / size + tile_rows - 1) / tile_rows < at::get_num_threads()) return 0;
  int64_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (steps[i].kind == CT_KEEP) kept = size;
    size = size_after(steps[i], size);
    if (size == 0 || (steps[i].adds_kept && size != kept)) return 0;
  }
  return 1;
}

int ct_row_network(ct_tensor *out, ct_tensor x, const ct_row_step *steps, int count) {
  return make(out, [&] {
    TORCH_CHECK(ct_row_network_serves(x, steps, count), "rows of ", x->value.sizes(), " are not served");
    at::Tensor input = x->value.contiguous();
    int64_t size = input.size(-1), rows = input.numel() / size, outputs = size, widest = size;
    for (int i = 0; i < count; ++i) {
      outputs = size_after(steps[i], outputs);
      widest = std::max(widest, outputs);
    }
    auto shape = input.sizes().vec();
    shape.back() = outputs;
    at::Tensor result = at::empty(shape, input.options());
    parallel_for((rows + tile_rows - 1) / tile_rows, 1, [&](int64_t begin, int64_t end) {
      int64_t blocks = (end - begin + most_groups - 1) / most_groups;
      for (int64_t block = 0; block < blocks; ++block) {
        int64_t first = (begin + (end - begin) * block / blocks) * tile_rows,
                last = std::min(rows, (begin + (end - begin) * (block + 1) / blocks) * tile_rows);
        Slice slice(data<bf16>(input) + first * size, first, last - first, size, widest);
        for (int i = 0; i < count; ++i) slice.take(steps[i]);
        slice.store(data<bf16>(result) + first * outputs);
      }
    });
    return result;
  });
}

#else

int ct_row_network_serves(ct_tensor, const ct_row_step *, int) { return 0; }

int ct_row_network(ct_tensor *out, ct_tensor, const ct_row_step *, int) {
  return make(out, []() -> at::Tensor { TORCH_CHECK(false, "this processor has no tiles"); });
}

#endif
