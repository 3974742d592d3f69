#include "contention.h"

#include <ATen/Parallel.h>

#include <algorithm>

using namespace std::chrono_literals;

namespace ctorch {

Contention &Contention::here() {
  static thread_local Contention contention;
  return contention;
}

int Contention::threads() {
  if (given_up_ > 0 && Clock::now() >= retry_) {
    given_up_ -= 1;
    since_ = Clock::now();
    waited_ = {};
  }
  return std::max(1, at::get_num_threads() - given_up_);
}

void Contention::end() {
  // Longer than the time slices of threads that are about to end, and than the difference between their shares.
  constexpr auto shortest = 1ms, window = 20ms;
  constexpr auto longest_pause = 16s;
  auto now = Clock::now();
  auto waited = now - begun_ - worked_;
  if (waited > shortest && waited > worked_) waited_ += waited;
  if (now - since_ < window) return;
  if (4 * waited_ > now - since_) {
    given_up_ = std::min(given_up_ + 1, at::get_num_threads() - 1);
    retry_ = now + pause_;
    pause_ = std::min<Clock::duration>(2 * pause_, longest_pause);
  } else if (given_up_ == 0) {
    pause_ = kShortestPause;
  }
  since_ = now;
  waited_ = {};
}

}  // namespace ctorch
