// A matrix quantized to int8, for the first pass of an argmax over its rows.
//
// Each row is rounded to integers from -127 to 127 times a scale per row, and so is each vector that is multiplied by
// it, to at most 64 where the products are limited to 16 bits (int8_products.h). An int8 tile instruction (AMX)
// computes twice as many products as one for bfloat16, an int8 vector instruction (AVX-512 VNNI) four times as many as
// one for float32, and the instructions of AVX2 about twice as many. The matrix takes half or a quarter of the memory,
// and for a few rows, reading it limits the speed. The sums are exact, and by the Cauchy–Schwarz inequality the
// rounding error is bounded:
//
//   |ŵ·x̂ − w·x| ≤ ‖w − ŵ‖‖x‖ + ‖ŵ‖‖x − x̂‖
//
// With random vectors, a few tens of 100,000 entries remain for the second pass, a few hundred with vectors up to 64.

#include "int8_weight.h"

#include <ATen/ops/empty.h>

#include <atomic>

#include "../support.h"
#include "parallel.h"

using namespace ctorch;

namespace {

// Moves the numbers of a half block into the order of the products, four at a time, and adds the offset.
INLINE void pack_half(uint8_t *packed, const int8_t *rounded, int64_t depth) {
  for (int64_t line = 0; line < kHalfBlock; ++line)
    for (int64_t i = 0; i < depth; i += 4)
      std::memcpy(packed + i * kHalfBlock + line * 4, rounded + line * depth + i, 4);
  for (int64_t i = 0; i < kHalfBlock * depth; ++i) packed[i] ^= 128;
}

template <typename T>
bool quantize_block(uint8_t *numbers, BlockBounds &bounds, const T *weight, int64_t count, int64_t size) {
  int64_t depth = padded_depth(size);
  std::vector<int8_t> rounded(kBlockRows * depth);
  bounds = {};
  for (int64_t line = 0; line < count; ++line) {
    Quantized row;
    vectorized<quantize<T>>(row, rounded.data() + line * depth, weight + line * size, size, 127);
    if (std::isnan(row.scale)) return false;
    bounds.scales[line] = row.scale;
    bounds.lost = std::max(bounds.lost, row.lost);
    bounds.length = std::max(bounds.length, row.length);
  }
  for (int64_t half = 0; half < kBlockRows; half += kHalfBlock)
    vectorized<pack_half>(numbers + half * depth, rounded.data() + half * depth, depth);
  return true;
}

}  // namespace

int ct_int8_weight_new(ct_int8_weight *out, ct_tensor weight) {
  return guard([&] {
    *out = {nullptr, nullptr};
    at::Tensor w = weight->value;
    if (!is_supported(w) || w.dim() != 2 || w.numel() == 0) return;
    // With longer rows, sums of products of up to 255 · 127 may overflow 32 bits.
    if (w.size(1) > 1 << 16) return;
    w = w.contiguous();
    int64_t vocabulary = w.size(0), size = w.size(1), depth = padded_depth(size),
            blocks = (vocabulary + kBlockRows - 1) / kBlockRows;
    at::Tensor numbers = at::empty({blocks * kBlockRows * depth}, w.options().dtype(at::kByte));
    at::Tensor bounds = at::empty({blocks, kBoundsSize}, w.options().dtype(at::kFloat));
    std::atomic<bool> finite = true;
    parallel_for(blocks, 16, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end && finite; ++block) {
        uint8_t *place = data<uint8_t>(numbers) + block * kBlockRows * depth;
        auto &bound = reinterpret_cast<BlockBounds *>(data<float>(bounds))[block];
        with_element(w, [&]<typename T>() {
          if (!quantize_block(place, bound, data<T>(w) + block * kBlockRows * size,
                              std::min<int64_t>(kBlockRows, vocabulary - block * kBlockRows), size))
            finite = false;
        });
      }
    });
    if (finite) *out = {own(numbers), own(bounds)};
  });
}
