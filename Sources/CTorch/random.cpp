// Random numbers. Everything draws from a generator that the caller owns, never from the process's own.

#include <ATen/CPUGeneratorImpl.h>

#include "support.h"

using namespace ctorch;

int ct_generator_new(ct_generator *out, uint64_t seed, ct_device where) {
  return guard([&] {
    at::Generator generator = where.type == CT_CPU
                                  ? at::detail::createCPUGenerator(seed)
                                  : at::globalContext().defaultGenerator(ctorch::device(where)).clone();
    generator.set_current_seed(seed);
    *out = new ct_generator_handle{std::move(generator)};
  });
}

void ct_generator_free(ct_generator generator) { delete generator; }

int ct_generator_get_state(ct_tensor *out, ct_generator generator) {
  return make(out, [&] { return generator->value.get_state(); });
}

int ct_generator_set_state(ct_generator generator, ct_tensor state) {
  return guard([&] { generator->value.set_state(state->value); });
}

int ct_uniform(ct_tensor *out, const int64_t *shape, int rank, double low, double high, ct_dtype dtype,
               ct_device device, ct_generator generator) {
  return make(out, [&] {
    return at::empty(ints(shape, rank), options(dtype, device)).uniform_(low, high, generator->value);
  });
}

int ct_normal(ct_tensor *out, const int64_t *shape, int rank, double mean, double deviation, ct_dtype dtype,
              ct_device device, ct_generator generator) {
  return make(out, [&] {
    return at::empty(ints(shape, rank), options(dtype, device)).normal_(mean, deviation, generator->value);
  });
}

int ct_bernoulli(ct_tensor *out, const int64_t *shape, int rank, double p, ct_dtype dtype, ct_device device,
                 ct_generator generator) {
  return make(out, [&] {
    return at::empty(ints(shape, rank), options(dtype, device)).bernoulli_(p, generator->value);
  });
}
