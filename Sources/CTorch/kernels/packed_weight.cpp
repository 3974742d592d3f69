#include "packed_weight.h"

#include <ATen/ops/constant_pad_nd.h>

#include <climits>

#include "../support.h"
#include "vector_numbers.h"

namespace ctorch {

namespace {

// The most rows and panels whose sums stay in registers.
constexpr int most_rows(int lanes) { return lanes == 16 ? 8 : lanes == 8 ? 6 : 2; }

// The panels at once: with few rows, more sums keep the arithmetic busy.
constexpr int panels_at_once(int lanes, int rows) {
  if (lanes == 16) return rows == 1 ? 8 : rows == 2 ? 4 : 2;
  if (lanes == 8) return rows == 1 ? 4 : rows == 2 ? 2 : 1;
  return rows == 1 ? 2 : 1;
}

// Which of the next panels are prefetched while some rows read panels: first..<last, into the L1 (3) or L2 cache (2).
struct Ahead {
  int first, last, cache;
};

// The sums of a few rows and panels. Each adds its terms in their order.
template <int lanes, int rows, int panels, Ahead ahead, typename T>
INLINE void sum_panels(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t size, const T *weight) {
  constexpr int vectors = kPanel / lanes;
  Numbers<lanes> sums[rows][panels][vectors] = {};
#pragma clang loop unroll(disable)
  for (int64_t i = 0; i < size; ++i) {
#pragma clang loop unroll(full)
    for (int panel = 0; panel < panels; ++panel) {
      const T *place = weight + (panel * size + i) * kPanel;
      // Hardware prefetchers stop at the end of each page.
      if (panel >= ahead.first && panel < ahead.last)
        __builtin_prefetch(place + panels * size * kPanel, 0, ahead.cache);
      Numbers<lanes> weights[vectors];
#pragma clang loop unroll(full)
      for (int vector = 0; vector < vectors; ++vector) weights[vector] = numbers<lanes>(place + vector * lanes);
#pragma clang loop unroll(full)
      for (int row = 0; row < rows; ++row) {
        Numbers<lanes> factor = x[row * x_stride + i];
#pragma clang loop unroll(full)
        for (int vector = 0; vector < vectors; ++vector)
          sums[row][panel][vector] = multiply_add<lanes>(factor, weights[vector], sums[row][panel][vector]);
      }
    }
  }
  for (int row = 0; row < rows; ++row) std::memcpy(y + row * y_stride, sums[row], sizeof sums[row]);
}

template <int lanes, int rows, Ahead ahead, typename T>
INLINE void multiply_rows(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t size, const T *weight,
                          int64_t count) {
  constexpr int panels = panels_at_once(lanes, rows);
  int64_t panel = 0;
  for (; panel + panels <= count; panel += panels)
    sum_panels<lanes, rows, panels, ahead>(y + panel * kPanel, y_stride, x, x_stride, size,
                                           weight + panel * size * kPanel);
  if constexpr (panels > 1)
    for (; panel < count; ++panel)
      sum_panels<lanes, rows, 1, ahead>(y + panel * kPanel, y_stride, x, x_stride, size,
                                        weight + panel * size * kPanel);
}

// The products of the next `rows` rows, at most `most`.
//
// group: the number of this group of rows, of `groups` that read the weights. The first two share the prefetching, so
// that memory is read while both compute; the L1 cache has no room for the panels of both. With one or two rows,
// prefetching costs more than it saves.
template <int lanes, int most, typename T>
INLINE void multiply_next(int64_t rows, int64_t group, int64_t groups, float *y, int64_t y_stride, const float *x,
                          int64_t x_stride, int64_t size, const T *weight, int64_t count) {
  constexpr Ahead none{0, 0, 0}, all{0, INT_MAX, 3}, first{0, 1, 2}, others{1, INT_MAX, 2};
  if constexpr (most > 1)
    if (rows < most)
      return multiply_next<lanes, most - 1>(rows, group, groups, y, y_stride, x, x_stride, size, weight, count);
  if constexpr (most > 2) {
    constexpr bool shared = panels_at_once(lanes, most) > 1;
    if (group == 0 && (groups == 1 || !shared))
      return multiply_rows<lanes, most, all>(y, y_stride, x, x_stride, size, weight, count);
    if (group == 0) return multiply_rows<lanes, most, first>(y, y_stride, x, x_stride, size, weight, count);
    if (group == 1 && shared) return multiply_rows<lanes, most, others>(y, y_stride, x, x_stride, size, weight, count);
  }
  multiply_rows<lanes, most, none>(y, y_stride, x, x_stride, size, weight, count);
}

template <int lanes, typename T>
INLINE void multiply(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, int64_t size,
                     const T *panels, int64_t begin, int64_t end) {
  constexpr int64_t most = most_rows(lanes);
  // The weights of a panel are read from memory for the first rows, and stay in a cache for the others.
  int64_t step = rows <= most ? end - begin : panels_at_once(lanes, most);
  for (int64_t panel = begin; panel < end; panel += step) {
    int64_t count = std::min(step, end - panel);
    int64_t groups = (rows + most - 1) / most;
    for (int64_t group = 0, row = 0; group < groups; ++group) {
      int64_t next = (rows - row + groups - group - 1) / (groups - group);
      multiply_next<lanes, most>(next, group, groups, y + row * y_stride + panel * kPanel, y_stride, x + row * x_stride,
                                 x_stride, size, panels + panel * size * kPanel, count);
      row += next;
    }
  }
}

}  // namespace

template <typename T>
void multiply_packed(float *y, int64_t y_stride, const float *x, int64_t x_stride, int64_t rows, int64_t size,
                     const T *panels, int64_t begin, int64_t end) {
  switch (vector_lanes()) {
    case 16: return vectorized<multiply<16, T>>(y, y_stride, x, x_stride, rows, size, panels, begin, end);
    case 8: return vectorized<multiply<8, T>>(y, y_stride, x, x_stride, rows, size, panels, begin, end);
    default: return vectorized<multiply<4, T>>(y, y_stride, x, x_stride, rows, size, panels, begin, end);
  }
}

template void multiply_packed(float *, int64_t, const float *, int64_t, int64_t, int64_t, const float *, int64_t,
                              int64_t);
template void multiply_packed(float *, int64_t, const float *, int64_t, int64_t, int64_t, const bf16 *, int64_t,
                              int64_t);

at::Tensor packed_weight(const at::Tensor &weight) {
  TORCH_CHECK(weight.dim() >= 2, "a weight of ", weight.sizes());
  int64_t outputs = weight.size(-2), panels = panel_count(outputs);
  std::vector<int64_t> shape = weight.sizes().vec();
  shape.insert(shape.end() - 1, kPanel);
  shape[shape.size() - 3] = panels;
  at::Tensor padded = at::constant_pad_nd(weight, {0, 0, 0, panels * kPanel - outputs});
  return padded.reshape(shape).transpose(-1, -2).contiguous();
}

}  // namespace ctorch

int ct_packed_weight(ct_tensor *out, ct_tensor weight) {
  return ctorch::make(out, [&] { return ctorch::packed_weight(weight->value); });
}
