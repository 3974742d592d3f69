// What passes of low precision over a vocabulary find: entries that may be the largest of their rows.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace ctorch {

// An entry that may be the largest of its row, with the most that it can be.
struct Candidate {
  int64_t row, index;
  float upper;
};

// Numbers that are so small that processors take them for zero.
constexpr float tiny = 1e-30f;

// The error of summing `size` products in float32 and of norms, relative to the product of the norms.
inline float error_of_sums(int64_t size) { return static_cast<float>(size + 16) * 1.2e-7f; }

// What a thread has found in its part of the vocabulary.
struct Search {
  std::vector<Candidate> candidates;
  std::vector<float> least;  // the least that the largest entry of a row can be

  explicit Search(int64_t rows) : least(rows, -std::numeric_limits<float>::infinity()) {}

  void consider(int64_t row, int64_t index, float value, float error) {
    if (!(value + error >= least[row])) return;
    // Of entries without error only the first of equals counts.
    if (error == 0 && value == least[row]) return;
    least[row] = std::max(least[row], value - error);
    candidates.push_back({row, index, value + error});
    if (candidates.size() > most) prune();
  }

  // The same, of an entry that passed a comparison with `bound`, the least that the row must reach. Raises it.
  void consider(int64_t row, int64_t index, float value, float error, float &bound) {
    if (error > 0) error += tiny;
    consider(row, index, value, error);
    // Of exact entries an equal one shall not pass again.
    bound = error > 0 ? least[row] - tiny : std::nextafter(least[row], HUGE_VALF);
  }

 private:
  // Forgets what was overtaken.
  void prune() {
    std::erase_if(candidates, [&](const Candidate &candidate) { return candidate.upper < least[candidate.row]; });
    most = std::max<size_t>(1 << 16, 2 * candidates.size());
  }

  size_t most = 1 << 16;
};

}  // namespace ctorch
