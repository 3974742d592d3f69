// Shared by all files of the C interface: the handles, and the guard that turns exceptions into messages.

#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <exception>
#include <string>
#include <vector>

#include "CTorch.h"

struct ct_tensor_handle {
  at::Tensor value;
};

struct ct_generator_handle {
  at::Generator value;
  // The generators of a batch's rows, in order; empty otherwise.
  std::vector<at::Generator> rows;
};

namespace ctorch {

void store_error(std::string message);

// Takes one number from the generator, or from each row's generator: the seeds of counter-based samples.
std::vector<uint64_t> sample_seeds(ct_generator generator);

inline ct_tensor own(at::Tensor value) { return new ct_tensor_handle{std::move(value)}; }

inline at::IntArrayRef ints(const int64_t *values, int count) { return {values, static_cast<size_t>(count)}; }

inline c10::Device device(ct_device device) {
  return {static_cast<c10::DeviceType>(device.type),
          static_cast<c10::DeviceIndex>(device.type == CT_CPU ? -1 : device.index)};
}

inline at::TensorOptions options(ct_dtype dtype, ct_device where) {
  return at::TensorOptions().dtype(static_cast<c10::ScalarType>(dtype)).device(device(where));
}

// Whether a backward pass can reach this tensor.
inline bool differentiable(const at::Tensor &tensor) { return c10::GradMode::is_enabled() && tensor.requires_grad(); }

// Runs `body` and returns 0, or stores the message of an exception and returns 1.
template <typename Body>
int guard(Body &&body) {
  try {
    body();
    return 0;
  } catch (const c10::Error &error) {
    store_error(error.what_without_backtrace());
  } catch (const std::exception &error) {
    store_error(error.what());
  } catch (...) {
    store_error("unknown C++ exception");
  }
  return 1;
}

// Like `guard`, for functions that return one tensor.
template <typename Body>
int make(ct_tensor *out, Body &&body) {
  return guard([&] { *out = own(body()); });
}

}  // namespace ctorch
