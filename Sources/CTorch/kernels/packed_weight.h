// Products of a few rows and a matrix of weights that is stored in panels.
//
// A panel has the weights of sixteen outputs, [inputs][16], so that the lanes of a vector belong to different outputs:
// no sums across lanes, and the weights are read in the order in which they lie in memory. From the caches of an AVX2
// processor, products of 4 to 16 rows are 1.5 to 2.4 times as fast as with the weights in rows (skinny_gemm.h).
//
// The bits of a row do not depend on the number of rows, on their contents or on the number of threads.

#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "parallel.h"
#include "vectorized.h"

namespace ctorch {

constexpr int64_t kPanel = 16;

inline int64_t panel_count(int64_t outputs) { return (outputs + kPanel - 1) / kPanel; }

// The panels of a matrix: […, outputs, inputs] → […, panels, inputs, 16], with zeros after the last output.
at::Tensor packed_weight(const at::Tensor &weight);

// y[r · y_stride + o] = Σ x[r · x_stride + i] · weight[o][i] for the outputs o of the panels begin..<end.
template <typename T>
void multiply_packed(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, int64_t size,
                     const T *panels, int64_t begin, int64_t end);

// Calls body(begin, end) for slices of the panels of a product, one per thread: so each weight is read by one thread.
template <typename Body>
void over_panels(int64_t panels, int64_t rows, int64_t inputs, const Body &body) {
  // With one or two rows, reading the weights takes longer than the arithmetic.
  int64_t work = std::max<int64_t>(rows, 3) * inputs * kPanel;
  parallel_for(panels, std::max<int64_t>(1, (1 << 17) / work), body);
}

}  // namespace ctorch
