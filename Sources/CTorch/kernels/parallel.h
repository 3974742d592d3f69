// A parallel loop on the thread pool that libtorch itself uses.
//
// `at::parallel_for` is a template that needs a compiler with OpenMP, which the clang of the Swift toolchain does not
// have everywhere; without OpenMP the template uses one thread. The OpenMP library is in the process anyway, so its
// entry point is called directly. A second thread pool would compete with it for the cores. Where other programs occupy
// cores, a loop uses fewer threads: see contention.h.

#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "contention.h"

#ifdef __APPLE__
#include <dispatch/dispatch.h>
#else
#include <dlfcn.h>
#endif

namespace ctorch {

// Calls body(begin, end) over slices of 0..<count, each of at least `grain` items, one slice per thread.
template <typename Body>
void parallel_for(int64_t count, int64_t grain, const Body &body) {
  struct Work {
    const Body *body;
    int64_t count;
    int slices;

    void run(int slice) const {
      int64_t begin = count * slice / slices, end = count * (slice + 1) / slices;
      if (begin < end) (*body)(begin, end);
    }
  };
  int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  Work work{&body, count, static_cast<int>(std::min<int64_t>(Contention::here().threads(), most))};
  if (work.slices <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
#ifdef __APPLE__
  dispatch_apply_f(work.slices, DISPATCH_APPLY_AUTO, &work,
                   [](void *data, size_t slice) { static_cast<Work *>(data)->run(static_cast<int>(slice)); });
#else
  using Start = void (*)(void (*)(void *), void *, unsigned, unsigned);
  using Index = int (*)();
  static const auto start = reinterpret_cast<Start>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  static const auto index = reinterpret_cast<Index>(dlsym(RTLD_DEFAULT, "omp_get_thread_num"));
  static const auto team = reinterpret_cast<Index>(dlsym(RTLD_DEFAULT, "omp_get_num_threads"));
  if (!start || !index || !team) {
    body(int64_t{0}, count);
    return;
  }
  Contention::here().begin();
  start(
      [](void *data) {
        // A team may be smaller than requested, so each thread strides over the slices.
        const Work &work = *static_cast<Work *>(data);
        auto run = [&] {
          for (int slice = index(); slice < work.slices; slice += team()) work.run(slice);
        };
        if (index() == 0)
          Contention::here().work(run);
        else
          run();
      },
      &work, static_cast<unsigned>(work.slices), 0);
  Contention::here().end();
#endif
}

// Calls body(row) for 0..<rows.
template <typename Body>
void for_rows(int64_t rows, const Body &body) {
  parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

// The number of slices for sums over rows. It does not depend on the number of threads, so neither do the sums.
constexpr int64_t kSlices = 16;

// Calls body(slice, begin, end) for the slices of 0..<count.
template <typename Body>
void in_slices(int64_t count, const Body &body) {
  parallel_for(kSlices, 1, [&](int64_t first, int64_t last) {
    for (int64_t slice = first; slice < last; ++slice)
      body(slice, count * slice / kSlices, count * (slice + 1) / kSlices);
  });
}

// Calls body(slice, row) for 0..<rows. The rows of a slice run sequentially, so they can add to a common sum.
template <typename Body>
void for_rows_in_slices(int64_t rows, const Body &body) {
  in_slices(rows, [&](int64_t slice, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(slice, row);
  });
}

}  // namespace ctorch
