// Chosen elements of x·weightᵀ.
//
// libtorch's operations would compute all of them, or copy the rows of the weight first.

#include <ATen/ATen.h>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;

namespace {

template <typename T>
INLINE void products(float *y, const T *x, const T *weight, const int64_t *columns, int64_t count, int64_t size) {
  ANY_ORDER
  for (int64_t i = 0; i < count; ++i) {
    const T *row = weight + columns[i] * size;
    float sum = 0;
    for (int64_t j = 0; j < size; ++j) sum += load(x[j]) * load(row[j]);
    y[i] = sum;
  }
}

at::Tensor by_operations(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &columns) {
  return at::matmul(at::embedding(weight, columns), x.unsqueeze(-1)).squeeze(-1).to(at::kFloat);
}

}  // namespace

int ct_linear_at(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor columns) {
  return make(out, [&] {
    const at::Tensor rows = x->value.contiguous(), matrix = weight->value.contiguous();
    const at::Tensor chosen = columns->value.contiguous();
    TORCH_CHECK(matrix.dim() == 2 && rows.dim() == chosen.dim() && rows.size(-1) == matrix.size(1) &&
                    rows.sizes().slice(0, rows.dim() - 1) == chosen.sizes().slice(0, chosen.dim() - 1) &&
                    chosen.scalar_type() == at::kLong,
                "chosen columns ", chosen.sizes(), " of the product of ", rows.sizes(), " and ", matrix.sizes());
    if (!is_supported(rows) || rows.scalar_type() != matrix.scalar_type() || differentiable(rows) ||
        differentiable(matrix))
      return by_operations(rows, matrix, chosen);
    const int64_t size = matrix.size(1), count = chosen.size(-1), *indices = data<int64_t>(chosen);
    TORCH_CHECK(std::all_of(indices, indices + chosen.numel(), [&](int64_t i) { return i >= 0 && i < matrix.size(0); }),
                "a column is not below ", matrix.size(0));
    at::Tensor y = at::empty(chosen.sizes(), at::kFloat);
    with_element(rows, [&]<typename T>() {
      parallel_for(count > 0 ? chosen.numel() / count : 0, 4, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          vectorized<products<T>>(data<float>(y) + row * count, data<T>(rows) + row * size, data<T>(matrix),
                                  indices + row * count, count, size);
      });
    });
    return y;
  });
}
