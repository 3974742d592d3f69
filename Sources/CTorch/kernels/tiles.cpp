#include "tiles.h"

#ifdef CTORCH_TILES

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace ctorch {

static bool find_tiles() {
  if (const char *no = std::getenv("CALM_NO_AMX"); no && *no == '1') return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  bool avx512 = (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
  bool amx = (d >> 22 & 1) && (d >> 24 & 1) && (d >> 25 & 1);
  if (!avx512 || !amx || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return false;
  // The system gives the room for the tiles' state to processes that ask: ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA.
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

bool has_tiles() {
  static const bool found = find_tiles();
  return found;
}

}  // namespace ctorch

#endif
