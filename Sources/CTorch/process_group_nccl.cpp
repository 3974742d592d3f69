// The backend for CUDA tensors: ProcessGroupNCCL of libtorch_cuda, which is loaded at run time.
//
// Its declaration needs headers of CUDA and of the version of NCCL that libtorch was built with. libtorch does not
// include them, and PyTorch's wheels include only some. The object is used through c10d::Backend, whose header is
// available; only its construction needs more: the constructor and the size. The constructor is looked up by its
// mangled name and called on memory that is larger than the object. The names contain the argument types and are the
// same from libtorch 2.11 to 2.15; a libtorch that lacks them is refused.

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <cstddef>
#include <cstdlib>

#include "process_group.h"

using namespace ctorch;

namespace {

using Options = c10d::Backend::Options;

// ProcessGroupNCCL::Options::Options(bool high_priority)
using MakeOptions = void(void *self, bool high_priority);
constexpr const char *kMakeOptionsName = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb";

// ProcessGroupNCCL::ProcessGroupNCCL(store, rank, size, options)
using MakeGroup = void(void *self, c10::intrusive_ptr<c10d::Store> store, int rank, int size,
                       c10::intrusive_ptr<Options> options);
constexpr const char *kMakeGroupName =
    "_ZN4c10d16ProcessGroupNCCLC1E"
    "N3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_null_typeIS3_EEEE"
    "ii"
    "NS2_INS0_7OptionsENS5_IS8_EEEE";

template <typename Function>
Function *find(const char *name) {
  TORCH_CHECK(ct_load_cuda() == 0, ct_last_error());
  void *address = dlsym(RTLD_DEFAULT, name);
  TORCH_CHECK(address, "libtorch_cuda has no NCCL, or one of another form than in libtorch 2.11 to 2.15");
  return reinterpret_cast<Function *>(address);
}

// The object in `room`, as one of its base classes. Its reference count never reaches 0, so nothing destroys it.
template <typename Base>
c10::intrusive_ptr<Base> object_in(std::byte *room) {
  return c10::intrusive_ptr<Base>::unsafe_adapt_non_heap_allocated(reinterpret_cast<Base *>(room), 1);
}

// A ProcessGroupNCCL and its options, which take about 1,200 and 256 bytes.
class Group {
 public:
  Group() = default;
  Group(const Group &) = delete;
  Group &operator=(const Group &) = delete;

  ~Group() {
    if (group_) {
      try {
        group_->abort();  // its destructor would do so too, with a warning
      } catch (...) {
      }
      group_->~Backend();
    }
    if (options_) options_->~Options();
  }

  void make(c10::intrusive_ptr<c10d::Store> store, int rank, int size, std::chrono::milliseconds timeout) {
    auto *make_options = find<MakeOptions>(kMakeOptionsName);
    auto *make_group = find<MakeGroup>(kMakeGroupName);
    make_options(options_room_, false);
    options_ = object_in<Options>(options_room_).get();
    options_->timeout = timeout;
    make_group(group_room_, std::move(store), rank, size, object_in<Options>(options_room_));
    group_ = object_in<c10d::Backend>(group_room_).get();
  }

  c10d::Backend *get() const { return group_; }

 private:
  alignas(64) std::byte options_room_[1 << 14];
  alignas(64) std::byte group_room_[1 << 16];
  Options *options_ = nullptr;
  c10d::Backend *group_ = nullptr;
};

}  // namespace

std::shared_ptr<c10d::Backend> ctorch::nccl_backend(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
                                                    std::chrono::milliseconds timeout, c10::Device device) {
  // Waiting then blocks until the GPU is done and throws failures and timeouts, as with Gloo. Otherwise a thread of
  // NCCL's process group would terminate the program.
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*overwrite=*/0);
  auto group = std::make_shared<Group>();
  group->make(c10::make_intrusive<c10d::PrefixStore>("nccl", std::move(store)), rank, size, timeout);
  c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
  group->get()->eagerConnectSingleDevice(device);
  return {group, group->get()};
}

int ct_load_nccl(void) {
  return guard([] {
    find<MakeOptions>(kMakeOptionsName);
    find<MakeGroup>(kMakeGroupName);
  });
}
