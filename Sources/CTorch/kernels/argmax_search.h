// The results of a pass of low precision over a vocabulary: entries that may be the largest of their rows.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace ctorch {

// An entry that may be the largest of its row, with its upper bound.
struct Candidate {
  int64_t row, index;
  float upper;
};

// A bound on errors from numbers so small that processors flush them to zero.
constexpr float kTiny = 1e-30f;

// The error of summing `size` products in float32 and of norms, relative to the product of the norms; derived in
// linear_argmax.cpp. 1.2e-7 is 2⁻²³ and a bit.
inline float error_of_sums(int64_t size) { return static_cast<float>(size + 16) * 1.2e-7f; }

// The results of a thread in its part of the vocabulary.
struct Search {
  std::vector<Candidate> candidates;
  std::vector<float> lower;  // a lower bound of the largest entry of each row

  explicit Search(int64_t rows) : lower(rows, -std::numeric_limits<float>::infinity()) {}

  void consider(int64_t row, int64_t index, float value, float error) {
    if (!(value + error >= lower[row])) return;
    // Of entries without error only the first of equals counts.
    if (error == 0 && value == lower[row]) return;
    lower[row] = std::max(lower[row], value - error);
    candidates.push_back({row, index, value + error});
    if (candidates.size() > most) prune();
  }

  // The same, of an entry that passed a comparison with `bound`, which the row's maximum must reach. Raises it.
  void consider(int64_t row, int64_t index, float value, float error, float &bound) {
    if (error > 0) error += kTiny;
    consider(row, index, value, error);
    // Of exact entries an equal one shall not pass again.
    bound = error > 0 ? lower[row] - kTiny : std::nextafter(lower[row], HUGE_VALF);
  }

 private:
  // Removes candidates that cannot be the largest any more.
  void prune() {
    std::erase_if(candidates, [&](const Candidate &candidate) { return candidate.upper < lower[candidate.row]; });
    most = std::max<size_t>(1 << 16, 2 * candidates.size());
  }

  size_t most = 1 << 16;
};

}  // namespace ctorch
