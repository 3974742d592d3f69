// The energy score of each position, and its gradient in the same pass.
//
//     2/(N·M) Σ‖x_n − y_m‖^β − 1/(N(N−1)) Σ_{n≠k} ‖x_n − x_k‖^β
//
// With tensor operations, the differences are a tensor of shape [N, M, positions, size]. Here the samples of a position
// and one target at a time stay in the cache: the targets are read once, and no such tensor is stored. Targets from
// normal distributions are not stored either, but sampled in the loop that uses them.

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>
#include <vector>

#include "../support.h"
#include "normal_noise.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Adds scale·‖x − y‖^β to the loss, its gradient's y part to `gradient` and its x part's factor to `pull`.
INLINE float attract(float *gradient, float &pull, const float *x, const float *y, int64_t size, float beta,
                     float scale) {
  ANY_ORDER
  float square = 0;
  for (int64_t i = 0; i < size; ++i) square += (x[i] - y[i]) * (x[i] - y[i]);
  if (square == 0) return 0;
  float distance = square_root(square);
  float power = beta == 1 ? distance : std::pow(distance, beta);
  float factor = scale * beta * power / square;
  pull += factor;
  for (int64_t i = 0; i < size; ++i) gradient[i] -= factor * y[i];
  return scale * power;
}

// The score of one position; writes its gradient, [N][size]. x: [N][size]; the targets are `stride` floats apart.
INLINE float position_score(float *gradient, float *pull, const float *x, const float *targets, int64_t stride,
                            int64_t n, int64_t m, int64_t size, float beta) {
  for (int64_t i = 0; i < n * size; ++i) gradient[i] = 0;
  for (int64_t i = 0; i < n; ++i) pull[i] = 0;
  float loss = 0;
  for (int64_t j = 0; j < m; ++j)
    for (int64_t i = 0; i < n; ++i)
      loss += attract(gradient + i * size, pull[i], x + i * size, targets + j * stride, size, beta,
                      2.0f / static_cast<float>(n * m));
  // Each unordered pair occurs twice in the sum, once from each end.
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i)
      if (i != j)
        loss += 0.5f * attract(gradient + i * size, pull[i], x + i * size, x + j * size, size, beta,
                               -2.0f / static_cast<float>(n * (n - 1)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < size; ++k) gradient[i * size + k] += pull[i] * x[i * size + k];
  return loss;
}

// The targets mean + σ·ε of one position, [m][size]; `noise` has room for m·size numbers, rounded up to fours.
INLINE void sample_targets(float *targets, float *noise, const float *mean, const float *deviation, int64_t m,
                         int64_t size, uint64_t seed, uint64_t position) {
  normal_noise(noise, (m * size + 3) / 4, seed, position);
  for (int64_t j = 0; j < m; ++j)
    for (int64_t i = 0; i < size; ++i) targets[j * size + i] = mean[i] + deviation[i] * noise[j * size + i];
}

// The normal distributions of the targets: [positions, size] each.
struct Distribution {
  at::Tensor mean, deviation;
  int64_t count;
  // One for all positions, or one for each row of the batch, whose positions are consecutive.
  std::vector<uint64_t> seeds;
};

struct EnergyScore : torch::autograd::Function<EnergyScore> {
  // The targets are given, [M, positions, size], or sampled from the distribution.
  static at::Tensor forward(AutogradContext *context, const at::Tensor &samples,
                            const std::optional<at::Tensor> &targets, const Distribution *distribution, double beta) {
    int64_t n = samples.size(0), positions = samples.size(1), size = samples.size(2);
    int64_t m = distribution ? distribution->count : targets->size(0);
    at::Tensor x = samples.to(at::kFloat).contiguous(), y = distribution ? at::Tensor() : targets->contiguous();
    at::Tensor loss = at::empty({positions}, at::kFloat), gradient = at::empty({n, positions, size}, at::kFloat);
    int64_t row = distribution ? positions / static_cast<int64_t>(distribution->seeds.size()) : positions;
    parallel_for(positions, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> here(n * size), change(n * size), pull(n), sampled, noise;
      if (distribution) sampled.resize(m * size), noise.resize(m * size + 3);
      for (int64_t p = begin; p < end; ++p) {
        for (int64_t i = 0; i < n; ++i)
          std::memcpy(&here[i * size], data<float>(x) + (i * positions + p) * size, size * sizeof(float));
        if (distribution)
          vectorized<sample_targets>(sampled.data(), noise.data(), data<float>(distribution->mean) + p * size,
                                   data<float>(distribution->deviation) + p * size, m, size,
                                   distribution->seeds[p / row], p % row);
        const float *first = distribution ? sampled.data() : data<float>(y) + p * size;
        data<float>(loss)[p] =
            vectorized<position_score>(change.data(), pull.data(), here.data(), first,
                                       distribution ? size : positions * size, n, m, size, static_cast<float>(beta));
        for (int64_t i = 0; i < n; ++i)
          std::memcpy(data<float>(gradient) + (i * positions + p) * size, &change[i * size], size * sizeof(float));
      }
    });
    context->save_for_backward({gradient});
    context->saved_data["dtype"] = static_cast<int64_t>(samples.scalar_type());
    return loss;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    at::Tensor scaled = context->get_saved_variables()[0] * gradients[0].unsqueeze(-1);
    return {scaled.to(static_cast<c10::ScalarType>(context->saved_data["dtype"].toInt())), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

// ‖a_i − b_j‖ of every pair at each position: [positions, N, M].
at::Tensor distances(const at::Tensor &a, const at::Tensor &b) {
  constexpr int64_t kWithoutProducts = 2;  // the expanded form is inaccurate for points that are close
  return at::cdist(a.transpose(0, 1), b.transpose(0, 1), 2.0, kWithoutProducts);
}

at::Tensor by_operations(const at::Tensor &samples, const at::Tensor &targets, double beta) {
  double n = static_cast<double>(samples.size(0));
  at::Tensor wide = samples.to(at::kFloat);
  at::Tensor across = distances(wide, targets).pow(beta).mean({1, 2});
  at::Tensor within = distances(wide, wide).pow(beta).sum({1, 2}) / (n * (n - 1));
  return across * 2 - within;
}

}  // namespace

int ct_energy_score(ct_tensor *out, ct_tensor samples, ct_tensor targets, double beta) {
  return make(out, [&] {
    const at::Tensor &x = samples->value, &y = targets->value;
    TORCH_CHECK(x.dim() == 3 && y.dim() == 3 && x.size(0) >= 2 && y.size(0) >= 1 && x.size(1) == y.size(1) &&
                    x.size(2) == y.size(2) && y.scalar_type() == at::kFloat,
                "energy score of samples ", x.sizes(), " against targets ", y.sizes());
    return is_supported(x) ? EnergyScore::apply(x, std::optional(y), nullptr, beta) : by_operations(x, y, beta);
  });
}

int ct_energy_score_of_normal(ct_tensor *out, ct_tensor samples, ct_tensor mean, ct_tensor deviation, int64_t count,
                              ct_generator generator, double beta) {
  return make(out, [&] {
    const at::Tensor &x = samples->value, &centre = mean->value, &spread = deviation->value;
    TORCH_CHECK(x.dim() == 3 && x.size(0) >= 2 && count >= 1 && centre.sizes() == x.sizes().slice(1) &&
                    spread.sizes() == centre.sizes() && centre.scalar_type() == at::kFloat &&
                    spread.scalar_type() == at::kFloat,
                "energy score of samples ", x.sizes(), " against distributions of ", centre.sizes());
    if (!is_supported(x)) {
      int64_t shape[] = {count, x.size(1), x.size(2)};
      ct_tensor noise = nullptr;
      TORCH_CHECK(ct_normal(&noise, shape, 3, 0, 1, CT_FLOAT32, ct_tensor_device(mean), generator, 1) == 0,
                  ct_last_error());
      std::unique_ptr<ct_tensor_handle> owner(noise);
      return by_operations(x, owner->value.mul_(spread.detach()).add_(centre.detach()), beta);
    }
    Distribution distribution{centre.contiguous(), spread.contiguous(), count, sample_seeds(generator)};
    TORCH_CHECK(x.size(1) % static_cast<int64_t>(distribution.seeds.size()) == 0, "energy score of ", x.size(1),
                " positions in ", distribution.seeds.size(), " rows");
    return EnergyScore::apply(x, std::optional<at::Tensor>(), &distribution, beta);
  });
}
