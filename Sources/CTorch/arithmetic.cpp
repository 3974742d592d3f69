// Elementwise arithmetic, comparisons and reductions.

#include <ATen/ATen.h>

#include "support.h"

using namespace ctorch;

#define BINARY(name, expression)                       \
  int name(ct_tensor *out, ct_tensor a, ct_tensor b) { \
    return make(out, [&] { return expression; });      \
  }
#define UNARY(name, expression)                   \
  int name(ct_tensor *out, ct_tensor a) {         \
    return make(out, [&] { return expression; }); \
  }
#define WITH_SCALAR(name, expression)               \
  int name(ct_tensor *out, ct_tensor a, double b) { \
    return make(out, [&] { return expression; });   \
  }

BINARY(ct_add, a->value + b->value)
BINARY(ct_sub, a->value - b->value)
BINARY(ct_mul, a->value * b->value)
BINARY(ct_div, a->value / b->value)
BINARY(ct_eq, at::eq(a->value, b->value))
WITH_SCALAR(ct_add_scalar, a->value + b)
WITH_SCALAR(ct_mul_scalar, a->value *b)
WITH_SCALAR(ct_pow_scalar, at::pow(a->value, b))
WITH_SCALAR(ct_clamp_min, at::clamp_min(a->value, b))
WITH_SCALAR(ct_eq_scalar, at::eq(a->value, b))
WITH_SCALAR(ct_lt_scalar, at::lt(a->value, b))
WITH_SCALAR(ct_gt_scalar, at::gt(a->value, b))
UNARY(ct_exp, at::exp(a->value))
UNARY(ct_log, at::log(a->value))
UNARY(ct_sqrt, at::sqrt(a->value))
UNARY(ct_square, at::square(a->value))
UNARY(ct_abs, at::abs(a->value))
UNARY(ct_tanh, at::tanh(a->value))
UNARY(ct_isfinite, at::isfinite(a->value))

int ct_add_(ct_tensor a, ct_tensor b, double scale) {
  return guard([&] { a->value.add_(b->value, scale); });
}

int ct_mul_scalar_(ct_tensor a, double b) {
  return guard([&] { a->value.mul_(b); });
}

int ct_where(ct_tensor *out, ct_tensor condition, ct_tensor a, ct_tensor b) {
  return make(out, [&] { return at::where(condition->value, a->value, b->value); });
}

int ct_sum(ct_tensor *out, ct_tensor a, const int64_t *dims, int count, bool keep) {
  return make(out, [&] { return count == 0 ? a->value.sum() : a->value.sum(ints(dims, count), keep); });
}

int ct_mean(ct_tensor *out, ct_tensor a, const int64_t *dims, int count, bool keep) {
  return make(out, [&] { return count == 0 ? a->value.mean() : a->value.mean(ints(dims, count), keep); });
}

int ct_cumulative_maximum(ct_tensor *out, ct_tensor a, int64_t dim) {
  return make(out, [&] { return std::get<0>(at::cummax(a->value, dim)); });
}

int ct_cumulative_sum(ct_tensor *out, ct_tensor a, int64_t dim) {
  return make(out, [&] { return at::cumsum(a->value, dim); });
}

int ct_first_above(ct_tensor *out, ct_tensor rows, ct_tensor values) {
  return make(out, [&] { return at::searchsorted(rows->value, values->value, /*out_int32=*/false, /*right=*/true); });
}

int ct_argmax(ct_tensor *out, ct_tensor a, int64_t dim) {
  return make(out, [&] { return a->value.argmax(dim); });
}

int ct_all(bool *out, ct_tensor a) {
  return guard([&] { *out = a->value.all().item<bool>(); });
}
