// Row-wise networks, such as the generative head and the autoencoder's decoder: each row is processed independently.
//
// With separate operations and a few hundred rows, the calls, the synchronization of threads after each operation, and
// the repacking of weights cost more than the arithmetic. Here each thread computes all layers for its rows within its
// L2 cache. Numbers are stored by feature, [size][rows]: products read and write sixteen rows at once, and norms and
// activations are plain loops over rows. A thread reads each weight once for 128 rows. A few rows use packed weights,
// if the caller has them: see packed_rows.h.
//
// In bfloat16, only weights and, on processors with such products, their factors are rounded. The result of a row does
// not depend on other rows.

#include <ATen/ops/empty.h>

#include "../support.h"
#include "packed_rows.h"
#include "parallel.h"
#include "row_products.h"
#include "skinny_gemm.h"

using namespace ctorch;

using namespace row_network;
using packed_rows::PackedRows;

namespace {

at::Tensor tensor(ct_tensor handle) { return handle ? handle->value : at::Tensor(); }

// Sizes are multiples of this, for tiles of 32 outputs and sums of 32 products.
constexpr int64_t kSizeUnit = 32;

// The maximum number of rows that pass together through layers with packed weights.
constexpr int64_t kMaxPackedRows = 64;

// The row size after a step on rows of `size` numbers of a type; 0 if the step is not supported.
int64_t size_after(const ct_row_step &step, int64_t size, at::ScalarType type) {
  auto is_vector = [&](const at::Tensor &tensor, int64_t size) {
    return tensor.defined() && tensor.scalar_type() == type && tensor.dim() == 1 && tensor.size(0) == size &&
           tensor.is_contiguous() && tensor.device().is_cpu();
  };
  auto is_matrix = [&](const at::Tensor &tensor) {
    return tensor.defined() && tensor.scalar_type() == type && tensor.dim() == 2 && tensor.size(1) == size &&
           tensor.stride(1) == 1 && tensor.size(0) % kSizeUnit == 0 && tensor.device().is_cpu();
  };
  at::Tensor weight = tensor(step.weight), other = tensor(step.other);
  switch (step.kind) {
    case CT_LINEAR:
      return is_matrix(weight) && (!other.defined() || is_vector(other, weight.size(0))) ? weight.size(0) : 0;
    case CT_LAYER_NORM: return is_vector(weight, size) && is_vector(other, size) ? size : 0;
    case CT_RMS_NORM: return is_vector(weight, size) ? size : 0;
    case CT_SILU_PLUS:
      return is_vector(other, size) || (other.defined() && other.dim() == 2 && other.size(1) == size &&
                                        other.scalar_type() == type && other.is_contiguous())
                 ? size
                 : 0;
    case CT_HALVES: return is_vector(other, size) && size % (2 * kSizeUnit) == 0 ? size / 2 : 0;
    case CT_GATED: return is_matrix(weight) && is_matrix(other) && weight.size(0) == other.size(0) ? weight.size(0) : 0;
    case CT_KEEP: return size;
  }
  return 0;
}

// Whether the weights of the products are packed.
bool has_panels(const ct_row_step *steps, int count) {
  return std::any_of(steps, steps + count, [](const ct_row_step &step) { return step.panels != nullptr; });
}

void check_panels(const ct_row_step &step) {
  auto check = [](ct_tensor panels, ct_tensor weight) {
    if (!panels) return;
    const at::Tensor &packed = panels->value, &matrix = weight->value;
    TORCH_CHECK(packed.is_contiguous() && packed.scalar_type() == matrix.scalar_type() && packed.dim() == 3 &&
                    packed.size(0) == panel_count(matrix.size(0)) && packed.size(1) == matrix.size(1) &&
                    packed.size(2) == kPanel,
                "panels of ", packed.sizes(), " for a weight of ", matrix.sizes());
  };
  check(step.panels, step.weight);
  check(step.other_panels, step.other);
}

// The products of the processor for weights of type T.
enum class Products { floats, vectors, tiles };

template <typename T>
Products products() {
#ifdef CTORCH_AMX
  if (std::is_same_v<T, bf16> && has_amx_tiles()) return Products::tiles;
#endif
  return std::is_same_v<T, bf16> && has_bf16_vectors() ? Products::vectors : Products::floats;
}

// Up to 128 rows, to which the steps of the network are applied.
template <typename T>
class Slice {
 public:
  // widest: the maximum number of features between two steps.
  Slice(const T *source, int64_t first, int64_t rows, int64_t size, int64_t widest)
      : first_(first), rows_(rows), size_(size), groups_((rows + kGroup - 1) / kGroup), stride_(groups_ * kGroup) {
    // Kept per thread: allocating memory for each call would cost more than the arithmetic.
    static thread_local std::vector<float> numbers[4], factors, panel, sums;
    static thread_local std::vector<bf16> packed;
    auto grow = [](auto &buffer, int64_t count) {
      if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(count);
    };
    for (auto &buffer : numbers) grow(buffer, widest * stride_);
    grow(sums, 2 * kMaxGroups * kGroup);
    if (products_ == Products::floats)
      grow(factors, widest * stride_), grow(panel, kMaxPanelOutputs * widest);
    else
      grow(packed, widest * stride_);
    x_ = numbers[0].data(), next_ = numbers[1].data(), kept_ = numbers[2].data(), spare_ = numbers[3].data();
    packed_ = packed.data(), factors_ = factors.data(), panel_ = panel.data(), sums_ = sums.data();
    load(x_, source);
  }

  void take(const ct_row_step &step) {
    const at::Tensor weight = tensor(step.weight), other = tensor(step.other);
    float epsilon = static_cast<float>(step.epsilon);
    switch (step.kind) {
      case CT_LINEAR: product(weight, other, step.adds_kept); break;
      case CT_GATED: gated(weight, other); break;
      case CT_LAYER_NORM:
        vectorized<layer_norm<T>>(x_, sums_, data<T>(weight), data<T>(other), size_, stride_, epsilon);
        break;
      case CT_RMS_NORM: vectorized<rms_norm<T>>(x_, sums_, data<T>(weight), size_, stride_, epsilon); break;
      case CT_SILU_PLUS:
        add_summand(other);
        vectorized<row_network::activate>(x_, size_ * stride_);
        break;
      case CT_HALVES:
        vectorized<row_network::add_bias<T>>(x_, data<T>(other), size_, stride_);
        size_ /= 2;
        vectorized<gate>(x_, x_ + size_ * stride_, size_ * stride_);
        break;
      case CT_KEEP: std::copy_n(x_, size_ * stride_, kept_); return;
    }
    is_packed_ = false;
  }

  void store(T *y) const {
#ifdef __x86_64__
    if constexpr (std::is_same_v<T, bf16>)
      if (products_ != Products::floats) return store_packed(y, x_, rows_, groups_, size_, stride_);
#endif
    vectorized<store_rows<T>>(y, x_, rows_, size_, stride_);
  }

 private:
  // Reads rows into `x`; if it becomes the factor of products, also packed.
  void load(float *x, const T *source) {
#ifdef __x86_64__
    if constexpr (std::is_same_v<T, bf16>)
      if (products_ != Products::floats) {
        is_packed_ = true;
        return load_packed(x, packed_, source, rows_, groups_, size_, stride_);
      }
#endif
    vectorized<load_rows<T>>(x, source, rows_, size_, stride_);
  }

  void multiply(float *y, const float *x, const at::Tensor &weight) {
    const T *w = data<T>(weight);
    int64_t outputs = weight.size(0), w_stride = weight.stride(0);
#ifdef __x86_64__
    if constexpr (std::is_same_v<T, bf16>)
      if (products_ != Products::floats) {
        if (!is_packed_) pack(packed_, x, groups_, size_, stride_);
        is_packed_ = true;
#ifdef CTORCH_AMX
        if (products_ == Products::tiles)
          return multiply_tiles(y, packed_, groups_, size_, stride_, w, w_stride, outputs);
#endif
        return multiply_vectors(y, packed_, groups_, size_, stride_, w, w_stride, outputs);
      }
#endif
    if (!is_packed_) vectorized<pack_floats>(factors_, x, groups_, size_, stride_);
    is_packed_ = true;
    multiply_floats<T>(y, factors_, panel_, groups_, size_, stride_, w, w_stride, outputs);
  }

  void product(const at::Tensor &weight, const at::Tensor &bias, bool adds_kept) {
    multiply(next_, x_, weight);
    std::swap(x_, next_);
    size_ = weight.size(0);
    if (bias.defined()) vectorized<row_network::add_bias<T>>(x_, data<T>(bias), size_, stride_);
    if (adds_kept) vectorized<add>(x_, kept_, size_ * stride_);
  }

  void gated(const at::Tensor &weight, const at::Tensor &up) {
    multiply(next_, x_, weight);
    multiply(spare_, x_, up);
    vectorized<gate>(next_, spare_, weight.size(0) * stride_);
    std::swap(x_, next_);
    size_ = weight.size(0);
  }

  // One summand for all rows, or one for each row of a repeating sequence.
  void add_summand(const at::Tensor &summand) {
    if (summand.dim() == 1 || summand.size(0) == 1)
      return vectorized<row_network::add_bias<T>>(x_, data<T>(summand), size_, stride_);
    static thread_local std::vector<T> rows;
    rows.resize(rows_ * size_);
    for (int64_t row = 0; row < rows_; ++row)
      std::copy_n(data<T>(summand) + (first_ + row) % summand.size(0) * size_, size_, rows.data() + row * size_);
    load(next_, rows.data());
    vectorized<add>(x_, next_, size_ * stride_);
  }

  const Products products_ = products<T>();
  const int64_t first_, rows_;
  int64_t size_;
  const int64_t groups_, stride_;
  float *x_, *next_, *kept_, *spare_, *sums_;  // [size][stride]
  // The factors of products in bfloat16, [groups][size / 2][16][2], or in float32, [groups][size][16].
  bf16 *packed_;
  float *factors_;
  // Whether these are the numbers of `x_`.
  bool is_packed_ = false;
  float *panel_;  // [8][size], weights in float32
};

}  // namespace

int ct_row_network_prefers_panels(ct_tensor x) {
  const at::Tensor &rows = x->value;
  if (c10::GradMode::is_enabled() || !is_supported(rows) || rows.dim() < 1 || rows.numel() == 0) return 0;
  // In bfloat16, the products of processors that have them are faster.
  return keeps_rows_apart() || (rows.scalar_type() == at::kFloat && rows.numel() <= kMaxPackedRows * rows.size(-1));
}

int ct_row_network_is_supported(ct_tensor x, const ct_row_step *steps, int count) {
  const at::Tensor &rows = x->value;
  if (c10::GradMode::is_enabled() || !is_supported(rows) || rows.dim() < 1) return 0;
  int64_t size = rows.size(-1);
  if (size == 0 || size % kSizeUnit != 0 || rows.numel() == 0) return 0;
  if (!has_panels(steps, count)) {
    if (keeps_rows_apart() || rows.numel() <= kMaxSkinnyRows * size) return 0;
    // Each thread has at least one group.
    if ((rows.numel() / size + kGroup - 1) / kGroup < at::get_num_threads()) return 0;
  }
  int64_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (steps[i].kind == CT_KEEP) kept = size;
    size = size_after(steps[i], size, rows.scalar_type());
    if (size == 0 || (steps[i].adds_kept && size != kept)) return 0;
  }
  return 1;
}

int ct_row_network(ct_tensor *out, ct_tensor x, const ct_row_step *steps, int count) {
  return make(out, [&] {
    TORCH_CHECK(ct_row_network_is_supported(x, steps, count), "rows of ", x->value.sizes(), " are not supported");
    for (int i = 0; i < count; ++i) check_panels(steps[i]);
    at::Tensor input = x->value.contiguous();
    int64_t size = input.size(-1), rows = input.numel() / size, outputs = size, widest = size;
    for (int i = 0; i < count; ++i) {
      outputs = size_after(steps[i], outputs, input.scalar_type());
      widest = std::max(widest, outputs);
    }
    auto shape = input.sizes().vec();
    shape.back() = outputs;
    at::Tensor result = at::empty(shape, input.options());
    with_element(input, [&]<typename T>() {
      auto process = [&](auto slice, int64_t first) {
        for (int i = 0; i < count; ++i) slice.take(steps[i]);
        slice.store(data<T>(result) + first * outputs);
      };
      if (has_panels(steps, count)) {
        for (int64_t first = 0; first < rows; first += kMaxPackedRows)
          process(
              PackedRows<T>(data<T>(input) + first * size, first, std::min(kMaxPackedRows, rows - first), size, widest),
              first);
        return;
      }
      parallel_for((rows + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) {
        int64_t blocks = (end - begin + kMaxGroups - 1) / kMaxGroups;
        for (int64_t block = 0; block < blocks; ++block) {
          int64_t first = (begin + (end - begin) * block / blocks) * kGroup,
                  last = std::min(rows, (begin + (end - begin) * (block + 1) / blocks) * kGroup);
          process(Slice<T>(data<T>(input) + first * size, first, last - first, size, widest), first);
        }
      });
    });
    return result;
  });
}
