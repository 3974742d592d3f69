// Fused operations (kernels/).

#ifndef CTORCH_KERNELS_H
#define CTORCH_KERNELS_H

#include "ctorch_base.h"

#ifdef __cplusplus
extern "C" {
#endif

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
// The elements `columns`, […, m] of int64, of x·weightᵀ: […, m] of float32.
int ct_linear_at(ct_tensor *out, ct_tensor x, ct_tensor weight, ct_tensor columns);
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
// A matrix [vocabulary, size] quantized to int8, and bounds on its rounding errors. Both are null if the matrix is not
// finite or its type or device is not supported.
typedef struct {
  ct_tensor numbers, bounds;
} ct_int8_weight;
int ct_int8_weight_new(ct_int8_weight *out, ct_tensor weight);
// Index of the largest entry in each row of the exact hidden·weightᵀ. If entries are equal, the first one wins.
// quantized: null, or the quantized `weight`, which must not have changed since it was quantized.
int ct_linear_argmax(ct_tensor *out, ct_tensor hidden, ct_tensor weight, const ct_int8_weight *quantized);
// For tests: the bound on the error of a product of two float32 vectors of `size` numbers that are rounded to bfloat16,
// relative to the product of their norms.
float ct_bfloat16_product_error(int64_t size);

// With more rows than these, a layer is faster step by step than by ct_decode_layer.
int ct_max_skinny_rows(void);
// While this thread keeps rows apart, the bits of a row do not depend on the others, on the CPU and without gradients:
// ct_linear, ct_matmul by a matrix, ct_silu, and everything that has no products.
void ct_keep_rows_apart(int keeps);
int ct_keeps_rows_apart(void);
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
// first cache, then those of the second, and so on. Writes their keys and values into the caches. cosine, sine: the
// angles of each cache's position, [count, head size / 2] in float32.
int ct_decode_layer(ct_tensor *out, ct_tensor x, const ct_decode_layer_weights *layer, const ct_decode_cache *caches,
                    int count, ct_tensor cosine, ct_tensor sine);

// A matrix of weights, [..., outputs, inputs], in the order that products of a few rows read: [..., panels, inputs,
// 16].
int ct_packed_weight(ct_tensor *out, ct_tensor weight);

// Residual blocks and an output layer whose norms are shifted, scaled and gated: packed weights of [h, h], vectors of
// [h].
typedef struct {
  ct_tensor norm_weight, norm_bias, hidden_weight, hidden_bias, output_weight, output_bias;
} ct_adaptive_block;
typedef struct {
  const ct_adaptive_block *blocks;
  int block_count;
  ct_tensor output_weight, output_bias;
} ct_adaptive_network;

// A posterior head with the values of some positions at a point of the sampling paths, in float32 or bfloat16 on the
// CPU; all contiguous.
typedef struct {
  ct_tensor vocabulary;  // packed [V, h]
  ct_tensor code_words;  // the embeddings of the path, packed [V, d] in float32
  // The same two matrices with the tokens as inputs: packed [slices, h, tokens] and [slices, d, tokens], where each
  // slice has the next `tokens` tokens, a multiple of 16, and zeros after the last of the V tokens.
  ct_tensor vocabulary_slices, code_word_slices;
  ct_tensor prior;                     // logits, [positions * K, V] in float32
  ct_tensor modulation;                // as in ct_one_step_head
  ct_tensor precision;                 // the factor of the evidence of each of the K tokens, [K] in float32
  ct_tensor input_weight, input_bias;  // packed [K, h, K * d + K * h]; [K * h]
  ct_adaptive_network network;
} ct_posterior_head;
// points: [samples, positions, K * d] in float32. The mean embedding of each token under the posterior, in the same
// shape; and the most likely tokens, [samples, positions, K], -1 where a logit is not finite.
int ct_posterior_means(ct_tensor *out, const ct_posterior_head *head, ct_tensor points);
int ct_posterior_tokens(int32_t *tokens, const ct_posterior_head *head, ct_tensor points);

// A one-step posterior head with the values of some positions, in float32 or bfloat16 on the CPU; all contiguous.
// Packed weights are those of ct_packed_weight.
typedef struct {
  ct_tensor vocabulary;  // packed [V, h]
  ct_tensor code_words;  // the embeddings of the path, packed [V, d] in float32
  ct_tensor prior;       // logits, [positions * K, V] in float32
  ct_tensor modulation;  // of each block shift, scale, gate, then shift, scale: [positions, ...] in float32
  // The embeddings that the first layer reads, [V, h]; or NULL if `mixed` has their products with its weights: [V, K, K
  // * h] in float32, for each token and each of its places the share of the outputs.
  ct_tensor embeddings, mixed;
  ct_tensor input_weight, input_bias;  // packed [K, h, K * d + K * h], without the last K * h if mixed; [K * h]
  ct_adaptive_network network;
  double scale;  // the factor of the evidence
} ct_one_step_head;
// The beliefs of candidates, [candidates, K]: for each part of their noise the most likely token given prior and
// evidence; -1 where a logit is not finite. noise: [candidates, K * d] in float32; positions: the position of each
// candidate.
int ct_one_step_beliefs(int32_t *beliefs, const ct_one_step_head *head, ct_tensor noise, const int64_t *positions);
// The tokens at `count` places of candidates, each candidate * K + token; -1 where a logit is not finite. noise: in
// batches; beliefs and positions: of the candidates of all batches.
int ct_one_step_tokens(int32_t *tokens, const ct_one_step_head *head, const ct_tensor *noise, int batches,
                       const int32_t *beliefs, const int64_t *positions, const int64_t *places, int64_t count);

// A tokens head with the values of some positions, in float32 or bfloat16 on the CPU; all contiguous.
typedef struct {
  ct_tensor vocabulary;  // packed [V, h]
  ct_tensor embeddings;  // [V, h]
  ct_tensor prior;       // [positions * K, h] in float32
  ct_tensor modulation;  // of each block shift, scale, gate, then shift, scale: [positions, ...] in float32
  // For 1 to K - 1 tokens the layer that reads their embeddings: packed [h, tokens * h], [h].
  const ct_tensor *prefix_weights, *prefix_biases;
  int chunk_size;  // K
  ct_adaptive_network network;
} ct_tokens_head;
// Running sums of the probabilities to the power `exponent`, times a factor, of the token that follows each of `count`
// beginnings of chunks, [count, V]; the last is NaN if a logit is NaN or +inf. lengths: the number of tokens of each
// beginning, ascending and less than K; tokens: those of all beginnings.
int ct_tokens_head_sums(float *sums, const ct_tokens_head *head, const int64_t *positions, const int64_t *lengths,
                        const int32_t *tokens, int64_t count, double exponent);

// A step of a row-wise network; see `rowwise` in Swift.
typedef enum { CT_LINEAR, CT_LAYER_NORM, CT_RMS_NORM, CT_SILU_PLUS, CT_HALVES, CT_GATED, CT_KEEP } ct_row_step_kind;
typedef struct {
  ct_row_step_kind kind;
  ct_tensor weight;  // of products and norms; for CT_GATED the gate's weight
  ct_tensor other;   // a bias or a summand; for CT_GATED the up weight; may be NULL
  double epsilon;
  int adds_kept;
  ct_tensor panels, other_panels;  // of the weights of products; all NULL if they are not packed
} ct_row_step;
// Whether packed weights are faster for these rows, or keep them apart.
int ct_row_network_prefers_panels(ct_tensor x);
// Whether ct_row_network supports x: rows without gradients on the CPU, many if the weights are not packed, and sizes
// that are multiples of 32.
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

#ifdef __cplusplus
}
#endif

#endif
