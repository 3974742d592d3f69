// How the threads of OpenMP wait for each other.
//
// At the end of a parallel loop, GNU's OpenMP library lets the threads that have finished spin for some milliseconds
// before they sleep. If another program occupies a core, a spinning thread occupies another one, on which the thread
// that it waits for could run. With one busy program on two cores, a training step then took 2.7 times as long as on
// free cores, and 1.8 times with short spinning. On free cores, long spinning is faster.
//
// The library spins shortly where it manages more threads than there are processors, but has no function to choose
// that. A thread that never works brings it there.

#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <thread>

#include "CTorch.h"

#ifndef __APPLE__
#include <dlfcn.h>
#endif

void ct_shorten_waits(void) {
#ifndef __APPLE__
  // The user's choice is kept.
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  using Start = void (*)(void (*)(void *), void *, unsigned, unsigned);
  static const auto start = reinterpret_cast<Start>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  if (!start) return;
  static std::once_flag once;
  std::call_once(once, [] {
    std::thread([] {
      // A team of two, whose second thread then sleeps.
      start([](void *) {}, nullptr, 2, 0);
      while (true) pause();
    }).detach();
  });
#endif
}
