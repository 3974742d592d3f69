// A matrix of weights in eight bits, for the first pass of an argmax over it.

#pragma once

#include <vector>

#include "CTorch.h"
#include "argmax_search.h"
#include "vectorized.h"

namespace ctorch {

// Finds the entries of x·weightᵀ that may be the largest of their rows. None at all (no search) where eight bits do not
// tell enough of them apart, or a row is not finite.
std::vector<Search> search_coarsely(const ct_coarse_weight &weight, const float *x, int64_t rows, int64_t size,
                                    int64_t vocabulary);
std::vector<Search> search_coarsely(const ct_coarse_weight &weight, const bf16 *x, int64_t rows, int64_t size,
                                    int64_t vocabulary);

}  // namespace ctorch
