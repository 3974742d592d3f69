// One AdamW step (Loshchilov and Hutter, 2019) over all parameters, in a single pass over each.
//
// A bfloat16 parameter has a float32 master copy. The step updates the master copy and rounds it into the parameter, so
// neither gradient nor parameter is converted to a separate float32 tensor.

#include <ATen/ATen.h>

#include "../support.h"
#include "parallel.h"
#include "vectorized.h"

using namespace ctorch;

namespace {

struct Rates {
  float decay, beta1, beta2, step_size, root_correction, epsilon, gradient_scale;
};

template <typename T>
INLINE void update(T *parameter, float *master, const T *gradient, float *first, float *second, int64_t count,
                   const Rates &rates) {
  for (int64_t i = 0; i < count; ++i) {
    float g = load(gradient[i]) * rates.gradient_scale;
    float m = rates.beta1 * first[i] + (1 - rates.beta1) * g;
    float v = rates.beta2 * second[i] + (1 - rates.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    float change = rates.step_size * m / (square_root(v) * rates.root_correction + rates.epsilon);
    master[i] = master[i] * rates.decay - change;
    store(parameter[i], master[i]);
  }
}

template <typename T>
INLINE double sum_of_squares(const T *values, int64_t count) {
  ANY_ORDER
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(load(values[i])) * load(values[i]);
  return sum;
}

void step_by_operations(const ct_adamw_slot &slot, const Rates &rates) {
  at::Tensor g = slot.gradient->value.to(at::kFloat) * rates.gradient_scale;
  at::Tensor &parameter = slot.parameter->value, &target = slot.master ? slot.master->value : parameter;
  at::Tensor &m = slot.first_moment->value, &v = slot.second_moment->value;
  m.mul_(rates.beta1).add_(g, 1 - rates.beta1);
  v.mul_(rates.beta2).addcmul_(g, g, 1 - rates.beta2);
  target.mul_(rates.decay).addcdiv_(m, v.sqrt().mul_(rates.root_correction).add_(rates.epsilon), -rates.step_size);
  if (slot.master) parameter.copy_(target);
}

}  // namespace

int ct_adamw(const ct_adamw_slot *slots, int count, double learning_rate, double beta1, double beta2, double epsilon,
             int64_t step, double gradient_scale) {
  return guard([&] {
    at::NoGradGuard without_gradients;
    double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
    double correction2 = 1 - std::pow(beta2, static_cast<double>(step));
    for (int s = 0; s < count; ++s) {
      const ct_adamw_slot &slot = slots[s];
      Rates rates{static_cast<float>(1 - learning_rate * slot.weight_decay),
                  static_cast<float>(beta1),
                  static_cast<float>(beta2),
                  static_cast<float>(learning_rate / correction1),
                  static_cast<float>(1 / std::sqrt(correction2)),
                  static_cast<float>(epsilon),
                  static_cast<float>(gradient_scale)};
      const at::Tensor &parameter = slot.parameter->value;
      at::Tensor gradient = slot.gradient->value.contiguous();
      TORCH_CHECK(gradient.sizes() == parameter.sizes(), "gradient of ", gradient.sizes(), " for a parameter of ",
                  parameter.sizes());
      bool widened = parameter.scalar_type() == at::kBFloat16;
      if (!is_supported(parameter) || !parameter.is_contiguous() || gradient.scalar_type() != parameter.scalar_type() ||
          widened != (slot.master != nullptr)) {
        step_by_operations(slot, rates);
        continue;
      }
      with_element(parameter, [&]<typename T>() {
        float *master = data<float>(slot.master ? slot.master->value : parameter);
        parallel_for(parameter.numel(), 16384, [&](int64_t begin, int64_t end) {
          vectorized<update<T>>(data<T>(parameter) + begin, master + begin, data<T>(gradient) + begin,
                                data<float>(slot.first_moment->value) + begin,
                                data<float>(slot.second_moment->value) + begin, end - begin, rates);
        });
      });
      parameter.unsafeGetTensorImpl()->bump_version();
    }
  });
}

int ct_move_towards(const ct_tensor *targets, const ct_tensor *sources, int count, double weight) {
  return guard([&] {
    at::NoGradGuard without_gradients;
    for (int t = 0; t < count; ++t) targets[t]->value.lerp_(sources[t]->value, weight);
  });
}

int ct_global_norm(double *out, const ct_tensor *tensors, int count) {
  return guard([&] {
    double sum = 0;
    for (int t = 0; t < count; ++t) {
      at::Tensor tensor = tensors[t]->value.contiguous();
      if (!is_supported(tensor)) {
        sum += tensor.to(at::kFloat).square().sum().item<double>();
        continue;
      }
      with_element(tensor, [&]<typename T>() {
        // Blocks of a fixed size, so that the sum does not depend on the number of threads.
        constexpr int64_t kBlock = 1 << 16;
        int64_t size = tensor.numel(), blocks = (size + kBlock - 1) / kBlock;
        std::vector<double> parts(blocks);
        parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
          for (int64_t b = begin; b < end; ++b)
            parts[b] = vectorized<sum_of_squares<T>>(data<T>(tensor) + b * kBlock, std::min(kBlock, size - b * kBlock));
        });
        for (double part : parts) sum += part;
      });
    }
    *out = std::sqrt(sum);
  });
}
