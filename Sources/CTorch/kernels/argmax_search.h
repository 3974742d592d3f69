// The result of a low-precision pass over a vocabulary: the entries that may be the largest of their rows.

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

// A bound on the errors from numbers that are so small that processors flush them to zero.
constexpr float kTiny = 1e-30f;

// The error bound of a sum of `size` products in float32 and of the norms, relative to the product of the norms. It is
// derived in linear_argmax.cpp. 1.2e-7 is slightly more than 2⁻²³.
inline float error_of_sums(int64_t size) { return static_cast<float>(size + 16) * 1.2e-7f; }

// The candidates that a thread finds in its part of the vocabulary.
struct Search {
  std::vector<Candidate> candidates;
  std::vector<float> lower;  // a lower bound of the largest entry of each row

  explicit Search(int64_t rows) : lower(rows, -std::numeric_limits<float>::infinity()) {}

  void consider(int64_t row, int64_t index, float value, float error) {
    if (!(value + error >= lower[row])) return;
    // Of equal entries without error, only the first counts.
    if (error == 0 && value == lower[row]) return;
    lower[row] = std::max(lower[row], value - error);
    candidates.push_back({row, index, value + error});
    if (candidates.size() > most) prune();
  }

  // The same for an entry that is at least `bound`, a lower bound of the row's maximum, which is raised.
  void consider(int64_t row, int64_t index, float value, float error, float &bound) {
    if (error > 0) error += kTiny;
    consider(row, index, value, error);
    // An exact entry must be exceeded, so that equal entries are skipped. The number after zero counts as zero where
    // denormal numbers do.
    bound = error > 0 ? lower[row] - kTiny
                      : std::max(std::nextafter(lower[row], HUGE_VALF), lower[row] + std::numeric_limits<float>::min());
  }

 private:
  // Removes candidates that can no longer be the largest.
  void prune() {
    std::erase_if(candidates, [&](const Candidate &candidate) { return candidate.upper < lower[candidate.row]; });
    most = std::max<size_t>(1 << 16, 2 * candidates.size());
  }

  size_t most = 1 << 16;
};

}  // namespace ctorch
