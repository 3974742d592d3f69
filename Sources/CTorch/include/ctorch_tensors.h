// Tensors, gradients, random numbers and the operations of libtorch.

#ifndef CTORCH_TENSORS_H
#define CTORCH_TENSORS_H

#include "ctorch_base.h"

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Tensors (tensors.cpp)

int ct_empty(ct_tensor *out, const int64_t *shape, int rank, ct_dtype dtype, ct_device device);
int ct_full(ct_tensor *out, const int64_t *shape, int rank, double value, ct_dtype dtype, ct_device device);
int ct_arange(ct_tensor *out, int64_t start, int64_t end, ct_dtype dtype, ct_device device);
// Copies `bytes` bytes from `data` into a new contiguous tensor on `device`.
int ct_from_bytes(ct_tensor *out, const void *data, size_t bytes, const int64_t *shape, int rank, ct_dtype dtype,
                  ct_device device);
// Copies the elements to `data` on the CPU, in row-major order.
int ct_to_bytes(ct_tensor tensor, void *data, size_t bytes);
// The address of a contiguous CPU tensor's first element.
int ct_data(void **out, ct_tensor tensor);
// Whether two tensors have the same elements in the same memory, and how often libtorch has modified a tensor.
int ct_is_same(ct_tensor tensor, ct_tensor other);
int64_t ct_changes(ct_tensor tensor);
// Records a modification. Call it after writing elements through `ct_data`.
void ct_note_change(ct_tensor tensor);
void ct_tensor_free(ct_tensor tensor);
int ct_rank(ct_tensor tensor);
void ct_shape(ct_tensor tensor, int64_t *out);
ct_dtype ct_tensor_dtype(ct_tensor tensor);
ct_device ct_tensor_device(ct_tensor tensor);
bool ct_is_contiguous(ct_tensor tensor);
bool ct_same_storage(ct_tensor a, ct_tensor b);
int ct_to(ct_tensor *out, ct_tensor x, ct_dtype dtype, ct_device device);
int ct_contiguous(ct_tensor *out, ct_tensor x);
int ct_clone(ct_tensor *out, ct_tensor x);
// Returns another handle of the same tensor.
int ct_share(ct_tensor *out, ct_tensor x);
int ct_copy_(ct_tensor destination, ct_tensor source);
int ct_fill_(ct_tensor tensor, double value);

// MARK: Autograd (autograd.cpp)

bool ct_requires_grad(ct_tensor tensor);
int ct_set_requires_grad(ct_tensor tensor, bool value);
int ct_detach(ct_tensor *out, ct_tensor tensor);
// Returns NULL through `out` if there is no gradient yet.
int ct_grad(ct_tensor *out, ct_tensor tensor);
int ct_set_grad(ct_tensor tensor, ct_tensor grad /* may be NULL */);
int ct_backward(ct_tensor tensor, ct_tensor grad /* may be NULL for a scalar */);
bool ct_grad_mode(void);
void ct_set_grad_mode(bool enabled);

// A part of a network as a function: it takes ownership of x, returns its result through `out`, and failures as a code.
typedef int (*ct_part)(ct_tensor *out, ct_tensor x, void *context);
// Runs a part with gradient checkpointing: only x is stored, and the backward pass runs the part again, which also
// accumulates the gradients of the part's parameters. `release` frees the context after its last use.
int ct_recomputed(ct_tensor *out, ct_tensor x, ct_part part, void *context, void (*release)(void *context));

// MARK: Random numbers (random.cpp)

int ct_generator_new(ct_generator *out, uint64_t seed, ct_device device);
// A generator for a batch, with a separate seed for each row. Its state cannot be read or set.
int ct_generator_new_of_rows(ct_generator *out, const uint64_t *seeds, int count, ct_device device);
void ct_generator_free(ct_generator generator);
int ct_generator_get_state(ct_tensor *out, ct_generator generator);
int ct_generator_set_state(ct_generator generator, ct_tensor state);
// `batch`: the batch dimension, for a generator of rows; ignored for others.
int ct_uniform(ct_tensor *out, const int64_t *shape, int rank, double low, double high, ct_dtype dtype,
               ct_device device, ct_generator generator, int batch);
int ct_normal(ct_tensor *out, const int64_t *shape, int rank, double mean, double deviation, ct_dtype dtype,
              ct_device device, ct_generator generator, int batch);
// Ones with probability p, otherwise zeros.
int ct_bernoulli(ct_tensor *out, const int64_t *shape, int rank, double p, ct_dtype dtype, ct_device device,
                 ct_generator generator, int batch);

// MARK: Arithmetic, comparisons, reductions (arithmetic.cpp)

int ct_add(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_sub(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_mul(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_div(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_add_scalar(ct_tensor *out, ct_tensor a, double b);
int ct_mul_scalar(ct_tensor *out, ct_tensor a, double b);
int ct_pow_scalar(ct_tensor *out, ct_tensor a, double exponent);
int ct_add_(ct_tensor a, ct_tensor b, double scale);
int ct_mul_scalar_(ct_tensor a, double b);
int ct_exp(ct_tensor *out, ct_tensor a);
int ct_log(ct_tensor *out, ct_tensor a);
int ct_sqrt(ct_tensor *out, ct_tensor a);
int ct_square(ct_tensor *out, ct_tensor a);
int ct_abs(ct_tensor *out, ct_tensor a);
int ct_tanh(ct_tensor *out, ct_tensor a);
int ct_isfinite(ct_tensor *out, ct_tensor a);
int ct_clamp_min(ct_tensor *out, ct_tensor a, double minimum);
int ct_eq(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_eq_scalar(ct_tensor *out, ct_tensor a, double b);
int ct_lt_scalar(ct_tensor *out, ct_tensor a, double b);
int ct_gt_scalar(ct_tensor *out, ct_tensor a, double b);
int ct_where(ct_tensor *out, ct_tensor condition, ct_tensor a, ct_tensor b);
// Over the listed dimensions, or over all if count is 0.
int ct_sum(ct_tensor *out, ct_tensor a, const int64_t *dims, int count, bool keep);
int ct_mean(ct_tensor *out, ct_tensor a, const int64_t *dims, int count, bool keep);
int ct_cumulative_maximum(ct_tensor *out, ct_tensor a, int64_t dim);
int ct_cumulative_sum(ct_tensor *out, ct_tensor a, int64_t dim);
// In rows that ascend: the index of the first element above each value.
int ct_first_above(ct_tensor *out, ct_tensor rows, ct_tensor values);
int ct_argmax(ct_tensor *out, ct_tensor a, int64_t dim);
int ct_all(bool *out, ct_tensor a);

// MARK: Shapes and indexing (shapes.cpp)

int ct_reshape(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank);
int ct_transpose(ct_tensor *out, ct_tensor a, int64_t dim0, int64_t dim1);
int ct_expand(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank);
int ct_narrow(ct_tensor *out, ct_tensor a, int64_t dim, int64_t start, int64_t length);
int ct_select(ct_tensor *out, ct_tensor a, int64_t dim, int64_t index);
// Along the last dimension; the others broadcast.
int ct_take_along(ct_tensor *out, ct_tensor a, ct_tensor indices);
int ct_index_select(ct_tensor *out, ct_tensor a, int64_t dim, ct_tensor indices);
int ct_cat(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim);
int ct_stack(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim);
// A strided view of a vector. The caller checks that it lies within the vector.
int ct_as_strided(ct_tensor *out, ct_tensor x, const int64_t *shape, const int64_t *strides, int rank);

// MARK: Neural functions (neural.cpp)

int ct_matmul(ct_tensor *out, ct_tensor a, ct_tensor b);
int ct_embedding(ct_tensor *out, ct_tensor weight, ct_tensor ids, int64_t padding /* -1: none */);
int ct_silu(ct_tensor *out, ct_tensor x);
typedef enum {
  CT_SILU,
  CT_GELU,
  CT_GELU_TANH,     // its tanh approximation
  CT_GELU_CLIPPED,  // GELU, clipped at 10
  CT_GELU_QUICK,    // x·σ(1.702·x)
  CT_LAPLACE,       // the cumulative normal distribution function with mean √½ and variance 1/(4π)
  CT_LEAKY_RELU,
  CT_IDENTITY,
  CT_MISH,
  CT_RELU,
  CT_RELU_SQUARED,
  CT_RELU6,
  CT_SIGMOID,
  CT_TANH,
} ct_activation_kind;
int ct_activation(ct_tensor *out, ct_tensor x, ct_activation_kind kind);
int ct_softmax(ct_tensor *out, ct_tensor x, int64_t dim);
int ct_log_softmax(ct_tensor *out, ct_tensor x, int64_t dim);

#ifdef __cplusplus
}
#endif

#endif
