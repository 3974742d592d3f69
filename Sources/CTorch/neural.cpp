// Neural network functions of libtorch.

#include <ATen/ATen.h>

#include "kernels/skinny_gemm.h"
#include "support.h"

using namespace ctorch;

int ct_matmul(ct_tensor *out, ct_tensor a, ct_tensor b) {
  return make(out, [&] {
    const at::Tensor &x = a->value, &matrix = b->value;
    if (keeps_rows_apart() && matrix.dim() == 2 && supports_skinny_gemm(x, matrix.t(), {}))
      return skinny_linear(x, matrix.t(), {});
    if (supports_skinny_matmul(x, matrix)) return skinny_matmul(x, matrix);
    return at::matmul(x, matrix);
  });
}

int ct_embedding(ct_tensor *out, ct_tensor weight, ct_tensor ids, int64_t padding) {
  return make(out, [&] { return at::embedding(weight->value, ids->value, padding); });
}

int ct_activation(ct_tensor *out, ct_tensor x, ct_activation_kind kind) {
  return make(out, [&]() -> at::Tensor {
    const at::Tensor &value = x->value;
    switch (kind) {
      case CT_SILU: return at::silu(value);
      case CT_GELU: return at::gelu(value);
      case CT_GELU_TANH: return at::gelu(value, "tanh");
      case CT_GELU_CLIPPED: return at::clamp(at::gelu(value), -10, 10);
      case CT_GELU_QUICK: return value * at::sigmoid(1.702 * value);
      // The constants are rounded as in the official code.
      case CT_LAPLACE: return 0.5 * (1 + at::erf((value - 0.707107) / (0.282095 * std::sqrt(2.0))));
      case CT_LEAKY_RELU: return at::leaky_relu(value);
      case CT_IDENTITY: return value;
      case CT_MISH: return at::mish(value);
      case CT_RELU: return at::relu(value);
      case CT_RELU_SQUARED: return at::square(at::relu(value));
      case CT_RELU6: return at::relu6(value);
      case CT_SIGMOID: return at::sigmoid(value);
      case CT_TANH: return at::tanh(value);
    }
    TORCH_CHECK(false, "unknown activation ", kind);
  });
}

int ct_softmax(ct_tensor *out, ct_tensor x, int64_t dim) {
  return make(out, [&] { return at::softmax(x->value, dim); });
}

int ct_log_softmax(ct_tensor *out, ct_tensor x, int64_t dim) {
  return make(out, [&] { return at::log_softmax(x->value, dim); });
}
