// The first pass of an argmax in int8.

#pragma once

#include <vector>

#include "CTorch.h"
#include "argmax_search.h"
#include "vectorized.h"

namespace ctorch {

// Finds the entries of x·weightᵀ that may be the largest of their rows. Returns nothing if int8 scores do not rule out
// enough entries, if a row is not finite, or if this processor multiplies as many rows faster in float32.
template <typename T>
std::vector<Search> search_int8(const ct_int8_weight &weight, const T *x, int64_t rows, int64_t size,
                                int64_t vocabulary);

}  // namespace ctorch
