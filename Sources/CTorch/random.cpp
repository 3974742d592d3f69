// Random numbers. All functions use a generator that the caller owns, never the default generator of the process.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <array>

#include "support.h"

using namespace ctorch;

namespace {

// The state of a Mersenne Twister for a 64-bit seed: its authors' init_by_array (Matsumoto and Nishimura, mt19937ar.c,
// 2002) with the two halves of the seed as the key. libtorch uses only the lower half of a seed.
at::mt19937 seeded_with_all_bits(uint64_t seed) {
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  at::mt19937_data_pod data = at::mt19937(19650218).data();
  auto &state = data.state_;
  const uint32_t size = static_cast<uint32_t>(state.size());
  auto mixed = [](uint32_t word) { return word ^ (word >> 30); };
  uint32_t i = 1;
  auto advance = [&] {
    if (++i >= size) {
      state[0] = state[size - 1];
      i = 1;
    }
  };
  for (uint32_t step = 0; step < size; ++step) {
    uint32_t j = step % key.size();
    state[i] = (state[i] ^ (mixed(state[i - 1]) * 1664525u)) + key[j] + j;
    advance();
  }
  for (uint32_t step = 1; step < size; ++step) {
    state[i] = (state[i] ^ (mixed(state[i - 1]) * 1566083941u)) - i;
    advance();
  }
  state[0] = 0x80000000u;
  data.seed_ = seed;
  at::mt19937 engine;
  engine.set_data(data);
  return engine;
}

at::Generator seeded(uint64_t seed, ct_device where) {
  at::Generator generator = where.type == CT_CPU ? at::detail::createCPUGenerator(seed)
                                                 : at::globalContext().defaultGenerator(ctorch::device(where)).clone();
  generator.set_current_seed(seed);
  // If the upper half is zero, the numbers are those of libtorch for the seed.
  if (where.type == CT_CPU && seed >> 32 != 0)
    at::check_generator<at::CPUGeneratorImpl>(generator)->set_engine(seeded_with_all_bits(seed));
  return generator;
}

// Returns a tensor filled by `fill(tensor, generator)`. With a generator of rows, each row's part of dimension `batch`
// is filled from the row's own generator, so its numbers do not depend on other rows.
template <typename Fill>
int sample(ct_tensor *out, at::IntArrayRef shape, ct_dtype dtype, ct_device where, ct_generator generator, int batch,
         Fill &&fill) {
  return make(out, [&] {
    at::Tensor whole = at::empty(shape, options(dtype, where));
    if (generator->rows.empty()) {
      fill(whole, generator->value);
      return whole;
    }
    int64_t rows = static_cast<int64_t>(generator->rows.size());
    TORCH_CHECK(whole.dim() > batch && whole.size(batch) % rows == 0, "a tensor of shape ", whole.sizes(),
                " cannot be divided into ", rows, " rows along dimension ", batch);
    int64_t length = whole.size(batch) / rows;
    auto fill_rows = [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        at::Tensor place = whole.narrow(batch, row * length, length);
        // Normal samples are several times faster in contiguous memory.
        at::Tensor part = place.is_contiguous() ? place : at::empty(place.sizes(), place.options());
        fill(part, generator->rows[row]);
        if (!place.is_contiguous()) place.copy_(part);
      }
    };
    if (whole.is_cpu())
      at::parallel_for(0, rows, 1, fill_rows);
    else
      fill_rows(0, rows);
    return whole;
  });
}

}  // namespace

std::vector<uint64_t> ctorch::sample_seeds(ct_generator generator) {
  auto next = [](const at::Generator &source) {
    return static_cast<uint64_t>(at::empty({1}, at::kLong).random_(source).item<int64_t>());
  };
  if (generator->rows.empty()) return {next(generator->value)};
  std::vector<uint64_t> seeds;
  for (const at::Generator &source : generator->rows) seeds.push_back(next(source));
  return seeds;
}

int ct_generator_new(ct_generator *out, uint64_t seed, ct_device where) {
  return guard([&] { *out = new ct_generator_handle{seeded(seed, where), {}}; });
}

int ct_generator_new_of_rows(ct_generator *out, const uint64_t *seeds, int count, ct_device where) {
  return guard([&] {
    auto generator = std::make_unique<ct_generator_handle>();
    for (int row = 0; row < count; ++row) generator->rows.push_back(seeded(seeds[row], where));
    *out = generator.release();
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
               ct_device device, ct_generator generator, int batch) {
  return sample(out, ints(shape, rank), dtype, device, generator, batch,
              [&](at::Tensor &tensor, const at::Generator &source) { tensor.uniform_(low, high, source); });
}

int ct_normal(ct_tensor *out, const int64_t *shape, int rank, double mean, double deviation, ct_dtype dtype,
              ct_device device, ct_generator generator, int batch) {
  return sample(out, ints(shape, rank), dtype, device, generator, batch,
              [&](at::Tensor &tensor, const at::Generator &source) { tensor.normal_(mean, deviation, source); });
}

int ct_bernoulli(ct_tensor *out, const int64_t *shape, int rank, double p, ct_dtype dtype, ct_device device,
                 ct_generator generator, int batch) {
  return sample(out, ints(shape, rank), dtype, device, generator, batch,
              [&](at::Tensor &tensor, const at::Generator &source) { tensor.bernoulli_(p, source); });
}
