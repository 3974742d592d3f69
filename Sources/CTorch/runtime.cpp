// Errors, threads, and the features of this machine and this libtorch.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <torch/version.h>

#include "support.h"

namespace {

thread_local std::string last_error;

// Asking libtorch for CUDA before libtorch_cuda is loaded makes it unavailable for the rest of the process.
bool cuda_is_loaded() { return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD); }

}  // namespace

void ctorch::store_error(std::string message) { last_error = std::move(message); }

const char *ct_last_error(void) { return last_error.c_str(); }

const char *ct_version(void) { return TORCH_VERSION; }

int ct_get_threads(void) { return at::get_num_threads(); }

void ct_set_threads(int count) { at::set_num_threads(count); }

bool ct_flush_denormals(void) { return at::globalContext().setFlushDenormal(true); }

bool ct_cuda_available(void) { return ct_cuda_device_count() > 0; }

bool ct_mps_available(void) { return at::detail::getMPSHooks().hasMPS(); }

int ct_cuda_device_count(void) {
  return cuda_is_loaded() && at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
}

int ct_load_cuda(void) {
  // Its static initializers register the CUDA kernels with the dispatcher.
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) return 0;
  ctorch::store_error(dlerror());
  return 1;
}

int ct_peak_memory(int64_t *bytes, ct_device where) {
  return ctorch::guard([&] {
    c10::Device device = ctorch::device(where);
    *bytes = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).allocated_bytes[0].peak;
  });
}

const char *ct_build_configuration(void) {
  ct_load_cuda();  // the configuration includes that of CUDA, see cuda_is_loaded
  static const std::string text = at::show_config();
  return text.c_str();
}

const char *ct_cpu_capability(void) {
  static const std::string text = at::get_cpu_capability();
  return text.c_str();
}
