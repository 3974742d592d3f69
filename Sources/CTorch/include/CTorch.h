// The C interface to the libtorch operations that this package uses.
//
// Conventions
//   * A `ct_tensor` is an opaque handle with one owner, which releases it with `ct_tensor_free`.
//   * Every function that can fail returns 0, or 1 after storing a message for `ct_last_error` (per thread).
//     No C++ exception leaves this interface. Results come through the leading out-parameters.
//   * Shapes and other lists are a pointer and a count. A missing tensor is NULL where a comment says "may be NULL".

#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_tensor_handle *ct_tensor;
typedef struct ct_generator_handle *ct_generator;
typedef struct ct_process_group_handle *ct_process_group;
typedef struct ct_work_handle *ct_work;
typedef struct ct_gradient_reducer_handle *ct_gradient_reducer;

// Element types, numbered as in c10::ScalarType.
typedef enum {
  CT_UINT8 = 0,
  CT_INT32 = 3,
  CT_INT64 = 4,
  CT_FLOAT16 = 5,
  CT_FLOAT32 = 6,
  CT_FLOAT64 = 7,
  CT_BOOL = 11,
  CT_BFLOAT16 = 15,
} ct_dtype;

typedef enum { CT_CPU = 0, CT_CUDA = 1, CT_MPS = 13 } ct_device_type;

typedef struct {
  ct_device_type type;
  int32_t index;
} ct_device;

// MARK: Memory (caching_allocator.cpp)

// Keeps freed tensors in the process, by size, instead of handing their memory back to the system.
void ct_tune_allocator(void);

// MARK: Counting operations (counting.cpp)

// Counts the multiplications of matrix products and attention on this thread between `begin` and `end`, including
// those of a backward pass on the CPU. Products that kernels compute themselves are not counted.
int ct_begin_counting(void);
int64_t ct_end_counting(void);

// MARK: Processor (processor.cpp)

// The instructions that kernels use: "baseline", "avx2", "avx512" or "amx".
typedef struct {
  const char *level;     // the level in use: the lower of `machine` and `limit`
  const char *machine;   // the highest level of the machine
  const char *variable;  // the environment variable that sets the limit
  const char *limit;     // its value, or NULL if it is not set
  bool is_limit_known;   // whether the value is a level or absent; other values are ignored
} ct_cpu_choice;
ct_cpu_choice ct_cpu_level(void);

// MARK: Errors, threads, the machine (runtime.cpp)

// The message of the last failure on this thread; valid until the next one.
const char *ct_last_error(void);
const char *ct_version(void);
int ct_get_threads(void);
void ct_set_threads(int count);
bool ct_cuda_available(void);
bool ct_mps_available(void);
int ct_cuda_device_count(void);
// Loads libtorch_cuda if it is installed next to libtorch; otherwise returns 1 with the loader's message.
int ct_load_cuda(void);
// Loads libtorch_cuda as well. Returns 1 with a message if it is missing or has no NCCL for process groups.
int ct_load_nccl(void);
// Compiler flags, BLAS, oneDNN and OpenMP, one per line.
const char *ct_build_configuration(void);
// The instructions that libtorch's own kernels use: "DEFAULT", "AVX2", "AVX512".
const char *ct_cpu_capability(void);

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
int ct_argmax(ct_tensor *out, ct_tensor a, int64_t dim);
int ct_all(bool *out, ct_tensor a);

// MARK: Shapes and indexing (shapes.cpp)

int ct_reshape(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank);
int ct_transpose(ct_tensor *out, ct_tensor a, int64_t dim0, int64_t dim1);
int ct_expand(ct_tensor *out, ct_tensor a, const int64_t *shape, int rank);
int ct_narrow(ct_tensor *out, ct_tensor a, int64_t dim, int64_t start, int64_t length);
int ct_select(ct_tensor *out, ct_tensor a, int64_t dim, int64_t index);
int ct_index_select(ct_tensor *out, ct_tensor a, int64_t dim, ct_tensor indices);
int ct_cat(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim);
int ct_stack(ct_tensor *out, const ct_tensor *tensors, int count, int64_t dim);

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

// MARK: Fused operations (kernels/)

// x·weightᵀ + bias + residual
int ct_linear(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor bias /* may be NULL */,
              ct_tensor residual /* may be NULL */);
// Over the last dimension.
int ct_layer_norm(ct_tensor *out, ct_tensor x, ct_tensor weight /* may be NULL */, ct_tensor bias /* may be NULL */,
                  double epsilon);
// query, key, value: [batch, heads, length, size]; if there are fewer key heads, query heads share them. If it is
// causal, the queries may be fewer than the keys: they are those of the last positions.
// `first`, [batch, queries], int64, or null: the first position to which each query attends.
int ct_attention(ct_tensor *out, ct_tensor query, ct_tensor key, ct_tensor value, bool causal, ct_tensor first);
int ct_rms_norm(ct_tensor *out, ct_tensor x, ct_tensor weight, double epsilon);
// silu(gate)·up
int ct_swiglu(ct_tensor *out, ct_tensor gate, ct_tensor up);
// The same where gate and up are the first and second half of the last dimension of x + bias.
int ct_swiglu_halves(ct_tensor *out, ct_tensor x, ct_tensor bias);
// silu(x + shared). x: [samples, rows, size], shared: [rows, size]; or x: […, size], shared: [size].
int ct_bias_silu(ct_tensor *out, ct_tensor x, ct_tensor shared);
// x: [batch, length, heads, size]; cosine, sine: [length, size / 2] in float32.
int ct_rotary(ct_tensor *out, ct_tensor x, ct_tensor cosine, ct_tensor sine);
// Mean cross-entropy of the rows of hidden·weightᵀ and targets (int64). Logits exist for one block of rows at a time.
// Rows with the target -100 are excluded from the mean.
int ct_linear_cross_entropy(ct_tensor *out, ct_tensor hidden, ct_tensor weight, ct_tensor targets);
// A matrix [vocabulary, size] quantized to int8, and bounds on its rounding errors. Both are null if the processor has
// no int8 products or the matrix is not finite.
typedef struct {
  ct_tensor numbers, bounds;
} ct_int8_weight;
int ct_int8_weight_new(ct_int8_weight *out, ct_tensor weight);
// Index of the largest entry in each row of the exact hidden·weightᵀ. If entries are equal, the first one wins.
// quantized: null, or the quantized `weight`, which must not have changed since.
int ct_linear_argmax(ct_tensor *out, ct_tensor hidden, ct_tensor weight, const ct_int8_weight *quantized);
// For tests: the bound on the error of a product of two float32 vectors of `size` numbers that are rounded to bfloat16,
// relative to the product of their norms.
float ct_bfloat16_product_error(int64_t size);

// The maximum number of rows of ct_decode_layer.
int ct_max_skinny_rows(void);
// A layer of a Llama Transformer without biases, in float32 or bfloat16 on the CPU.
typedef struct {
  ct_tensor attention_norm, query, key, value, output, mlp_norm, gate, up, down;
  double epsilon;
} ct_decode_layer_weights;
// The keys and values of sequences of one length, [sequences, key heads, capacity, head size] each.
typedef struct {
  ct_tensor keys, values;
  int64_t length;
} ct_decode_cache;
// Computes the layer for the next position of each sequence, [sequences, size] or [sequences, 1, size]: those of the
// first cache, then those of the second, …. Writes their keys and values into the caches. cosine, sine: the angles of
// each cache's position, [count, head size / 2] in float32.
int ct_decode_layer(ct_tensor *out, ct_tensor x, const ct_decode_layer_weights *layer, const ct_decode_cache *caches,
                    int count, ct_tensor cosine, ct_tensor sine);

// A step of a row-wise network; see `rowwise` in Swift.
typedef enum { CT_LINEAR, CT_LAYER_NORM, CT_RMS_NORM, CT_SILU_PLUS, CT_HALVES, CT_GATED, CT_KEEP } ct_row_step_kind;
typedef struct {
  ct_row_step_kind kind;
  ct_tensor weight;  // of products and norms; for CT_GATED the gate's weight
  ct_tensor other;   // a bias or a summand; for CT_GATED the up weight; may be NULL
  double epsilon;
  int adds_kept;
} ct_row_step;
// Whether ct_row_network supports x: many bfloat16 rows without gradients, on a processor with AMX.
int ct_row_network_is_supported(ct_tensor x, const ct_row_step *steps, int count);
// Applies all steps to the rows of x, [..., size].
int ct_row_network(ct_tensor *out, ct_tensor x, const ct_row_step *steps, int count);

// The energy score of each position, [positions] in float32: 2/(NM) Σ‖xₙ − yₘ‖^β − 1/(N(N−1)) Σ‖xₙ − xₖ‖^β.
// samples: [N, positions, size]; targets: [M, positions, size] in float32.
int ct_energy_score(ct_tensor *out, ct_tensor samples, ct_tensor targets, double beta);
// The same with `count` targets per position, sampled from normal distributions. mean, deviation: [positions, size].
int ct_energy_score_of_normal(ct_tensor *out, ct_tensor samples, ct_tensor mean, ct_tensor deviation, int64_t count,
                              ct_generator generator, double beta);

// One AdamW step over many tensors. `master` is NULL for a float32 parameter.
typedef struct {
  ct_tensor parameter, gradient, master /* may be NULL */, first_moment, second_moment;
  double weight_decay;
} ct_adamw_slot;
int ct_adamw(const ct_adamw_slot *slots, int count, double learning_rate, double beta1, double beta2, double epsilon,
             int64_t step, double gradient_scale);
// Moves each target towards its source: target + weight·(source − target).
int ct_move_towards(const ct_tensor *targets, const ct_tensor *sources, int count, double weight);
// The Euclidean norm over all tensors.
int ct_global_norm(double *out, const ct_tensor *tensors, int count);

// MARK: Files (files.cpp)

// A strided view of a vector. The caller checks that it lies within the vector.
int ct_as_strided(ct_tensor *out, ct_tensor x, const int64_t *shape, const int64_t *strides, int rank);

// MARK: Process groups (process_group.cpp, process_group_nccl.cpp)

// Connects to the other `size` - 1 processes at host:port, where rank 0 listens. `milliseconds` is the timeout of this
// and of all work of the group. CPU tensors use Gloo. If `place` is a GPU, which no other process of the group may use,
// it becomes the thread's current device, and its tensors use NCCL.
int ct_process_group_new(ct_process_group *out, const char *host, int port, int rank, int size, ct_device place,
                         int64_t milliseconds);
void ct_process_group_free(ct_process_group group);
// These start work on contiguous tensors, in the same order in every process. `ct_work_wait` waits for it and returns
// its failure, if any.
int ct_all_reduce(ct_work *out, ct_process_group group, ct_tensor tensor);  // the sum, in place
int ct_broadcast(ct_work *out, ct_process_group group, ct_tensor tensor, int root);
// gathered: the elements of `own` of each process, by rank.
int ct_all_gather(ct_work *out, ct_process_group group, ct_tensor gathered, ct_tensor own);
int ct_work_wait(ct_work work);
void ct_work_free(ct_work work);

// MARK: Gradients of a process group (gradient_reducer.cpp)

// Averages the gradients of the leaves over the group, in buckets of about `bucket_bytes` that are sent during the
// backward pass. The leaves are in the order of the forward pass, the same in every process.
int ct_gradient_reducer_new(ct_gradient_reducer *out, ct_process_group group, const ct_tensor *leaves, int count,
                            int64_t bucket_bytes);
void ct_gradient_reducer_free(ct_gradient_reducer reducer);
// Announces the last backward pass before `finish`. Its gradients and those already in the leaves are multiplied by
// `scale` and summed over the group.
int ct_gradient_reducer_begin(ct_gradient_reducer reducer, double scale);
// Waits for the sums and stores them as the leaves' gradients. `communicating`: seconds during which a bucket was in
// flight; `waited`: seconds that this call waited.
int ct_gradient_reducer_finish(ct_gradient_reducer reducer, double *communicating, double *waited);

#ifdef __cplusplus
}
#endif

#endif
