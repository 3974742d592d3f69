// An allocator for CPU tensors that keeps freed blocks for reuse.
//
// Every training step and every generated chunk allocates the same sizes. The C library's allocator splits, merges and
// consolidates its chunks each time. Here a freed block is kept in the list of its size class. The next tensor of that
// size gets the block that was freed last, which is the most likely to be in the processor's caches.

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>

#include "support.h"

#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace {

constexpr size_t kAlignment = 64;

// The header of a block, on a cache line of its own.
struct alignas(kAlignment) Block {
  Block *next;
  size_t size_class;
};

// Sizes are rounded up to one of eight steps between powers of two, which wastes at most an eighth.
constexpr size_t kSteps = 8;
constexpr size_t kSmallest = 512;

size_t class_of(size_t bytes) {
  if (bytes <= kSmallest) return 0;
  const size_t power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes ≤ 2^(power + 1)
  const size_t step = ((bytes - 1) >> (power - 3)) - kSteps;
  return (power - 9) * kSteps + step + 1;
}

size_t bytes_of(size_t size_class) {
  if (size_class == 0) return kSmallest;
  const size_t power = 9 + (size_class - 1) / kSteps, step = (size_class - 1) % kSteps + 1;
  return (size_t(1) << power) + (step << (power - 3));
}

// Requests huge pages (2 MiB) for the memory by which the heap has grown since the last call, before it is written to.
// Reading all weights from huge pages is 20 % faster.
void ask_for_large_pages() {
#ifdef __GLIBC__
  constexpr uintptr_t kPage = 1 << 21;
  static uintptr_t asked = 0;
  const uintptr_t top = reinterpret_cast<uintptr_t>(sbrk(0)) / kPage * kPage;
  if (asked != 0 && top > asked) madvise(reinterpret_cast<void *>(asked), top - asked, MADV_HUGEPAGE);
  if (asked == 0 || top > asked) asked = top;
#endif
}

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    TORCH_CHECK(bytes < size_t(1) << 46, "a tensor of ", bytes, " bytes is more than any machine has");
    void *data = take(class_of(bytes));
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  static CachingAllocator &shared() {
    // Never destroyed: tensors may outlive every static object.
    static auto *allocator = new CachingAllocator;
    return *allocator;
  }

 private:
  void *take(size_t size_class) {
    const size_t bytes = bytes_of(size_class);
    const std::lock_guard guard(mutex_);
    const size_t in_use = in_use_ + bytes, peak = std::max(peak_, in_use);
    Block *block = lists_[size_class];
    if (block) {
      lists_[size_class] = block->next;
      kept_ -= bytes;
    } else {
      // The kept blocks of other sizes may take at most a quarter of the peak memory in use.
      if (in_use + kept_ > peak + peak / 4) give_back();
      block = static_cast<Block *>(std::aligned_alloc(kAlignment, sizeof(Block) + bytes));
      if (!block) {
        give_back();
        block = static_cast<Block *>(std::aligned_alloc(kAlignment, sizeof(Block) + bytes));
      }
      TORCH_CHECK(block, "out of memory: cannot allocate ", bytes >> 20, " MiB for a tensor");
      ask_for_large_pages();
      block->size_class = size_class;
    }
    // Updated last: a failed allocation must not raise the peak.
    in_use_ = in_use;
    peak_ = peak;
    return block + 1;
  }

  static void release(void *data) {
    if (data) shared().keep(static_cast<Block *>(data) - 1);
  }

  void keep(Block *block) {
    const size_t bytes = bytes_of(block->size_class);
    const std::lock_guard guard(mutex_);
    block->next = lists_[block->size_class];
    lists_[block->size_class] = block;
    in_use_ -= bytes;
    kept_ += bytes;
  }

  void give_back() {
    for (Block *&list : lists_) {
      while (list) {
        Block *block = list;
        list = block->next;
        std::free(block);
      }
    }
    kept_ = 0;
  }

  std::mutex mutex_;
  std::array<Block *, (46 - 9) * kSteps + 1> lists_{};
  size_t in_use_ = 0, peak_ = 0, kept_ = 0;
};

}  // namespace

void ct_tune_allocator(void) {
  c10::SetCPUAllocator(&CachingAllocator::shared(), 1);
#ifdef __GLIBC__
  // The same for memory outside of tensors, such as the buffers of matrix products. By default, each large buffer is
  // mapped, faulted in page by page, and unmapped.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_ARENA_MAX, 2);
  ask_for_large_pages();
#endif
}
