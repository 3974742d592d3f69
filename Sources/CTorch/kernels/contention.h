// Notices that another program computes on a core of a parallel loop.
//
// The loops of a step of generation take some ten microseconds. If another program computes on one of their cores, a
// thread of them sometimes has to wait for its turn, some milliseconds, and all others wait for it: the step then takes
// a hundred times as long. So a loop that waits too long for others gives up a thread for a while.

#pragma once

#include <chrono>

namespace ctorch {

// The waits of one thread that runs parallel loops.
class Contention {
 public:
  static Contention &here();

  // The number of threads for the next loop: those of libtorch, fewer where cores are occupied.
  int threads();

  // A loop begins, this thread does its share, and all have done theirs.
  void begin() { begun_ = Clock::now(); }
  template <typename Share>
  void work(const Share &share) {
    auto start = Clock::now();
    share();
    worked_ = Clock::now() - start;
  }
  void end();

 private:
  using Clock = std::chrono::steady_clock;

  int given_up_ = 0;
  Clock::time_point begun_;
  Clock::duration worked_{};
  // Since when the waits are counted, and their sum.
  Clock::time_point since_ = Clock::now();
  Clock::duration waited_{};
  // When a thread is tried again, and how long it is given up the next time.
  Clock::time_point retry_;
  Clock::duration pause_ = kShortestPause;

  static constexpr Clock::duration kShortestPause = std::chrono::milliseconds(500);
};

}  // namespace ctorch
