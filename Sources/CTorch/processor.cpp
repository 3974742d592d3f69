#include "processor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "CTorch.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define STRING(name) #name
#define STRING_OF(macro) STRING(macro)

namespace ctorch {

namespace {

constexpr const char *kVariable = STRING_OF(CTORCH_CPU_VARIABLE);
constexpr const char *kNames[] = {"baseline", "avx2", "avx512", "amx"};

const char *name(CPULevel level) { return kNames[static_cast<int>(level)]; }

bool has_avx512_bf16() {
#ifdef __x86_64__
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
#else
  return false;
#endif
}

// Whether the processor and the system allow this process to use AMX tiles.
bool has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  bool has_tiles = (d >> 22 & 1) && (d >> 24 & 1) && (d >> 25 & 1);
  // Linux reserves memory for the tiles' state when a process asks: ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA.
  return has_tiles && has_avx512_bf16() && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

CPULevel find_machine_level() {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("x86-64-v3")) return CPULevel::baseline;
  if (!__builtin_cpu_supports("x86-64-v4")) return CPULevel::avx2;
  return has_amx() ? CPULevel::amx : CPULevel::avx512;
#else
  return CPULevel::baseline;
#endif
}

struct Choice {
  CPULevel machine = find_machine_level(), level = machine;
  const char *limit = std::getenv(kVariable);
  bool is_known = true;

  Choice() {
    if (limit && !*limit) limit = nullptr;
    if (!limit) return;
    auto known = std::find_if(std::begin(kNames), std::end(kNames), [&](auto name) { return !strcmp(name, limit); });
    is_known = known != std::end(kNames);
    if (is_known) level = std::min(machine, static_cast<CPULevel>(known - kNames));
  }
};

const Choice &choice() {
  static const Choice choice;
  return choice;
}

// Applies the limit to the libraries inside libtorch as well. They read these variables at their first operation, so
// setting them at load time is early enough. Variables that the user has set are not changed.
__attribute__((constructor)) void limit_libraries() {
  if (choice().level == choice().machine) return;
  struct {
    const char *variable, *values[3];  // by level
  } libraries[] = {
      {"ATEN_CPU_CAPABILITY", {"default", "avx2", "avx512"}},
      {"ONEDNN_MAX_CPU_ISA", {"SSE41", "AVX2", "AVX512_CORE_BF16"}},
      {"MKL_ENABLE_INSTRUCTIONS", {"SSE4_2", "AVX2", "AVX512"}},
  };
  for (const auto &library : libraries) setenv(library.variable, library.values[static_cast<int>(choice().level)], 0);
}

}  // namespace

CPULevel cpu_level() {
  static const CPULevel level = choice().level;
  return level;
}

bool has_vnni() {
#ifdef __x86_64__
  static const bool found = cpu_level() >= CPULevel::avx512 && __builtin_cpu_supports("avx512vnni");
  return found;
#else
  return false;
#endif
}

bool has_bf16_vectors() {
  static const bool found = cpu_level() >= CPULevel::avx512 && has_avx512_bf16();
  return found;
}

}  // namespace ctorch

using namespace ctorch;

ct_cpu_choice ct_cpu_level(void) {
  const Choice &it = choice();
  return {name(it.level), name(it.machine), kVariable, it.limit, it.is_known};
}
