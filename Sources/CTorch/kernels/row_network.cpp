// Row-wise networks, such as the generative head and the autoencoder's decoder: each row is processed independently.
//
// With separate operations and a few hundred rows, the calls, the synchronization of threads after each operation, and
// the repacking of weights cost more than the arithmetic. Here each thread computes all layers for its rows within its
// L2 cache. Numbers are stored by feature, [size][rows]: tiles are loaded and stored in that order, and norms and
// activations are plain loops over rows. A thread reads each weight once for 128 rows.
//
// Only weights and the factors of products are rounded to bfloat16. The result of a row does not depend on other rows.

#include <ATen/ops/empty.h>

#include "../support.h"
#include "parallel.h"
#include "row_network_kernels.h"
#include "skinny_gemm.h"

using namespace ctorch;

#ifdef CTORCH_AMX

using namespace row_network;

namespace {

at::Tensor tensor(ct_tensor handle) { return handle ? handle->value : at::Tensor(); }

// The row size after a step on rows of `size` numbers; 0 if the step is not supported.
int64_t size_after(const ct_row_step &step, int64_t size) {
  auto is_vector = [](const at::Tensor &tensor, int64_t size) {
    return tensor.defined() && tensor.scalar_type() == at::kBFloat16 && tensor.dim() == 1 && tensor.size(0) == size &&
           tensor.is_contiguous() && tensor.device().is_cpu();
  };
  auto is_matrix = [&](const at::Tensor &tensor) {
    return tensor.defined() && tensor.scalar_type() == at::kBFloat16 && tensor.dim() == 2 && tensor.size(1) == size &&
           tensor.stride(1) == 1 && tensor.size(0) % (2 * kTileRows) == 0 && tensor.device().is_cpu();
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
    case CT_HALVES: return is_vector(other, size) && size % (2 * kTileDepth) == 0 ? size / 2 : 0;
    case CT_GATED: return is_matrix(weight) && is_matrix(other) && weight.size(0) == other.size(0) ? weight.size(0) : 0;
    case CT_KEEP: return size;
  }
  return 0;
}

// Up to 128 rows, to which the steps of the network are applied.
class Slice {
 public:
  // widest: the maximum number of features between two steps.
  Slice(const bf16 *source, int64_t first, int64_t rows, int64_t size, int64_t widest)
      : first_(first),
        rows_(rows),
        size_(size),
        groups_((rows + kTileRows - 1) / kTileRows),
        stride_(groups_ * kTileRows) {
    // Kept per thread: allocating memory for each call would cost more than the arithmetic.
    static thread_local std::vector<float> numbers[3], sums;
    static thread_local std::vector<bf16> packed;
    for (auto &buffer : numbers)
      if (static_cast<int64_t>(buffer.size()) < widest * stride_) buffer.resize(widest * stride_);
    if (static_cast<int64_t>(packed.size()) < widest * stride_) packed.resize(widest * stride_);
    sums.resize(2 * kMaxGroups * kTileRows);
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
        vectorized<layer_norm>(x_, sums_, data<bf16>(weight), data<bf16>(other), size_, stride_, epsilon);
        break;
      case CT_RMS_NORM: vectorized<rms_norm>(x_, sums_, data<bf16>(weight), size_, stride_, epsilon); break;
      case CT_SILU_PLUS:
        add_summand(other);
        vectorized<activate>(x_, size_ * stride_);
        break;
      case CT_HALVES:
        vectorized<add_bias>(x_, data<bf16>(other), size_, stride_);
        size_ /= 2;
        vectorized<gate>(x_, x_ + size_ * stride_, size_ * stride_);
        break;
      case CT_KEEP: std::copy_n(x_, size_ * stride_, kept_); return;
    }
    is_packed_ = false;
  }

  void store(bf16 *y) const { store_rows(y, x_, rows_, groups_, size_, stride_); }

 private:
  void product(const at::Tensor &weight, const at::Tensor &bias, bool adds_kept) {
    multiply(next_, packed_, groups_, size_, stride_, weight);
    std::swap(x_, next_);
    size_ = weight.size(0);
    if (bias.defined()) vectorized<add_bias>(x_, data<bf16>(bias), size_, stride_);
    if (adds_kept) vectorized<add>(x_, kept_, size_ * stride_);
  }

  void gated(const at::Tensor &weight, const at::Tensor &up) {
    int64_t count = weight.size(0) * stride_;
    multiply(next_, packed_, groups_, size_, stride_, weight);
    multiply(x_, packed_, groups_, size_, stride_, up);
    vectorized<gate>(next_, x_, count);
    std::swap(x_, next_);
    size_ = weight.size(0);
  }

  // One summand for all rows, or one for each row of a repeating sequence.
  void add_summand(const at::Tensor &summand) {
    if (summand.dim() == 1 || summand.size(0) == 1)
      return vectorized<add_bias>(x_, data<bf16>(summand), size_, stride_);
    static thread_local std::vector<bf16> rows;
    rows.resize(rows_ * size_);
    for (int64_t row = 0; row < rows_; ++row)
      std::copy_n(data<bf16>(summand) + (first_ + row) % summand.size(0) * size_, size_, rows.data() + row * size_);
    load_rows(next_, packed_, rows.data(), rows_, groups_, size_, stride_);
    vectorized<add>(x_, next_, size_ * stride_);
  }

  const int64_t first_, rows_;
  int64_t size_;
  const int64_t groups_, stride_;
  float *x_, *next_, *kept_, *sums_;  // [size][stride]
  bf16 *packed_;                      // [groups][size / 2][16][2]
  // Whether `packed_` has the same numbers as `x_`.
  bool is_packed_ = true;
};

}  // namespace

int ct_row_network_is_supported(ct_tensor x, const ct_row_step *steps, int count) {
  const at::Tensor &rows = x->value;
  if (c10::GradMode::is_enabled() || !rows.device().is_cpu() || rows.scalar_type() != at::kBFloat16 || rows.dim() < 1)
    return 0;
  int64_t size = rows.size(-1);
  if (size == 0 || size % kTileDepth != 0 || rows.numel() <= kMaxSkinnyRows * size || !has_amx_tiles()) return 0;
  // Each thread has at least one group.
  if ((rows.numel() / size + kTileRows - 1) / kTileRows < at::get_num_threads()) return 0;
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
    TORCH_CHECK(ct_row_network_is_supported(x, steps, count), "rows of ", x->value.sizes(), " are not supported");
    at::Tensor input = x->value.contiguous();
    int64_t size = input.size(-1), rows = input.numel() / size, outputs = size, widest = size;
    for (int i = 0; i < count; ++i) {
      outputs = size_after(steps[i], outputs);
      widest = std::max(widest, outputs);
    }
    auto shape = input.sizes().vec();
    shape.back() = outputs;
    at::Tensor result = at::empty(shape, input.options());
    parallel_for((rows + kTileRows - 1) / kTileRows, 1, [&](int64_t begin, int64_t end) {
      int64_t blocks = (end - begin + kMaxGroups - 1) / kMaxGroups;
      for (int64_t block = 0; block < blocks; ++block) {
        int64_t first = (begin + (end - begin) * block / blocks) * kTileRows,
                last = std::min(rows, (begin + (end - begin) * (block + 1) / blocks) * kTileRows);
        Slice slice(data<bf16>(input) + first * size, first, last - first, size, widest);
        for (int i = 0; i < count; ++i) slice.take(steps[i]);
        slice.store(data<bf16>(result) + first * outputs);
      }
    });
    return result;
  });
}

#else

int ct_row_network_is_supported(ct_tensor, const ct_row_step *, int) { return 0; }

int ct_row_network(ct_tensor *out, ct_tensor, const ct_row_step *, int) {
  return make(out, []() -> at::Tensor { TORCH_CHECK(false, "this processor has no tiles"); });
}

#endif
