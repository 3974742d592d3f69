// Types, errors, threads and the machine.

#ifndef CTORCH_BASE_H
#define CTORCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_tensor_handle *ct_tensor;
typedef struct ct_generator_handle *ct_generator;

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

// MARK: Errors, threads, the machine (runtime.cpp)

// The message of the last failure on this thread; valid until the next one.
const char *ct_last_error(void);
const char *ct_version(void);
int ct_get_threads(void);
void ct_set_threads(int count);
// Lets threads that wait for each other sleep soon, unless the environment chooses otherwise (waiting.cpp).
void ct_shorten_waits(void);
// Lets this thread, and those that it starts from now on, take denormal numbers for zero. False if it cannot.
bool ct_flush_denormals(void);
bool ct_cuda_available(void);
bool ct_mps_available(void);
// 0 before ct_load_cuda.
int ct_cuda_device_count(void);
// Loads libtorch_cuda if it is installed next to libtorch; otherwise returns 1 with the loader's message.
int ct_load_cuda(void);
// Loads libtorch_cuda as well. Returns 1 with a message if it is missing or has no NCCL.
int ct_load_nccl(void);
// The largest number of bytes in use so far on a GPU, as its allocator counts them.
int ct_peak_memory(int64_t *bytes, ct_device device);
// Compiler flags, BLAS, oneDNN and OpenMP, one per line.
const char *ct_build_configuration(void);
// The instructions that libtorch's own kernels use: "DEFAULT", "AVX2", "AVX512".
const char *ct_cpu_capability(void);

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

// MARK: Memory (caching_allocator.cpp)

// Keeps the memory of freed tensors for reuse instead of returning it to the system.
void ct_tune_allocator(void);

// MARK: Counting operations (counting.cpp)

// Counts the multiplications of matrix products and attention on this thread between `begin` and `end`, including
// those of a backward pass on the CPU. Products that kernels compute themselves are not counted.
int ct_begin_counting(void);
int64_t ct_end_counting(void);

#ifdef __cplusplus
}
#endif

#endif
