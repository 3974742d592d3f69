// Averages gradients over a process group during the backward pass.
//
// Leaves are assigned to flat buckets in the reverse order of the forward pass. A hook on each leaf copies its
// gradient into the bucket as soon as it is computed. A full bucket is sent after the previous ones, so that all
// processes send the same buckets in the same order. If a backward pass does not reach a leaf, the next pass does not
// wait for it; if it is reached again, it is sent separately. c10d's Reducer does the same, but its constructor differs
// between versions of libtorch, and it offers neither weights nor the waiting time.

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "process_group.h"

using namespace ctorch;

namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

struct Bucket {
  at::Tensor flat;
  // The number of expected leaves, and of those still missing.
  int64_t expected = 0, missing = 0;
  c10::intrusive_ptr<c10d::Work> work;
};

struct Leaf {
  at::Tensor tensor;
  size_t bucket;
  at::Tensor place;  // a view of the bucket in the leaf's shape
  // Whether the last backward pass reached the leaf, which is the same in every process, and whether this pass did.
  bool expected = true, arrived = false;
};

// The time during which at least one bucket was in flight. Buckets finish in threads of the process group.
struct Traffic {
  std::mutex mutex;
  int under_way = 0;
  Clock::time_point since;
  Clock::duration total{};

  void begin() {
    std::lock_guard lock(mutex);
    if (under_way++ == 0) since = Clock::now();
  }
  void end() {
    std::lock_guard lock(mutex);
    if (--under_way == 0) total += Clock::now() - since;
  }
  double take() {
    std::lock_guard lock(mutex);
    return seconds(std::exchange(total, {}));
  }
};

class Reducer : public std::enable_shared_from_this<Reducer> {
 public:
  Reducer(ct_process_group group, const std::vector<at::Tensor> &tensors, int64_t bucket_bytes) : group_(group) {
    size_t first = tensors.size();
    while (first > 0) {
      // The leaves [first, end) are a bucket, filled from its end.
      size_t end = first;
      int64_t bytes = 0, count = 0;
      const at::Tensor &model = tensors[end - 1];
      while (first > 0 && (first == end || bytes + size_of(tensors[first - 1]) <= bucket_bytes) &&
             tensors[first - 1].scalar_type() == model.scalar_type() && tensors[first - 1].device() == model.device()) {
        --first;
        bytes += size_of(tensors[first]);
        count += tensors[first].numel();
      }
      Bucket bucket;
      bucket.flat = at::zeros({count}, model.options().requires_grad(false));
      int64_t offset = 0;
      for (size_t i = end; i-- > first;) {
        int64_t size = tensors[i].numel();
        leaves_.push_back({tensors[i], buckets_.size(), bucket.flat.narrow(0, offset, size).view(tensors[i].sizes())});
        offset += size;
      }
      buckets_.push_back(std::move(bucket));
    }
  }

  void watch() {
    for (size_t i = 0; i < leaves_.size(); ++i)
      torch::autograd::impl::set_post_acc_grad_hooks(leaves_[i].tensor, std::make_unique<Hook>(weak_from_this(), i));
  }

  void begin(double scale) {
    scale_ = scale;
    next_ = 0;
    late_.clear();
    for (Bucket &bucket : buckets_) bucket.expected = bucket.missing = 0;
    for (Leaf &leaf : leaves_) {
      leaf.arrived = false;
      if (leaf.expected) {
        ++buckets_[leaf.bucket].expected;
        ++buckets_[leaf.bucket].missing;
      } else {
        leaf.place.zero_();
      }
    }
    active_ = true;
  }

  void finish(double *communicating, double *waited) {
    at::NoGradGuard without_gradients;
    active_ = false;
    for (size_t i = 0; i < leaves_.size(); ++i) {
      Leaf &leaf = leaves_[i];
      if (leaf.arrived) continue;
      // An earlier backward pass of the same step may have reached it.
      leaf.arrived = leaf.tensor.grad().defined();
      if (!leaf.expected && leaf.arrived)
        late_.push_back(i);
      else if (leaf.arrived)
        fill(leaf);
      else if (leaf.expected)
        leaf.place.zero_();
    }
    for (Bucket &bucket : buckets_) bucket.missing = 0;
    send_full();
    end_computation();
    auto start = Clock::now();
    for (Bucket &bucket : buckets_)
      if (bucket.work) {
        bucket.work->wait();
        bucket.work.reset();
      }
    std::sort(late_.begin(), late_.end());
    for (size_t i : late_) {
      fill(leaves_[i]);
      send(leaves_[i].place)->wait();
    }
    *waited = seconds(Clock::now() - start);
    *communicating = std::max(*waited, traffic_->take());
    for (Leaf &leaf : leaves_) leaf.expected = leaf.arrived;
  }

 private:
  struct Hook : torch::autograd::PostAccumulateGradHook {
    Hook(std::weak_ptr<Reducer> reducer, size_t leaf) : reducer(std::move(reducer)), leaf(leaf) {}
    void operator()(const at::Tensor &) override {
      if (auto strong = reducer.lock()) strong->arrive(leaf);
    }
    std::weak_ptr<Reducer> reducer;
    size_t leaf;
  };

  static int64_t size_of(const at::Tensor &tensor) { return tensor.numel() * tensor.element_size(); }

  void arrive(size_t index) {
    if (!active_) return;
    at::NoGradGuard without_gradients;
    Leaf &leaf = leaves_[index];
    TORCH_CHECK(!leaf.arrived, "a gradient arrived twice in one backward pass");
    leaf.arrived = true;
    if (!leaf.expected) {
      late_.push_back(index);
      return;
    }
    fill(leaf);
    --buckets_[leaf.bucket].missing;
    send_full();
  }

  // Moves the gradient into the bucket, where it stays.
  void fill(Leaf &leaf) {
    at::mul_out(leaf.place, leaf.tensor.grad(), at::scalar_tensor(scale_, at::kDouble));
    leaf.tensor.mutable_grad() = leaf.place;
  }

  // A GPU may still be running the backward pass, which must not count as waiting for the other processes.
  void end_computation() const {
    if (leaves_.empty() || !leaves_[0].tensor.is_cuda()) return;
    c10::Device device = leaves_[0].tensor.device();
    c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
  }

  void send_full() {
    for (; next_ < buckets_.size() && buckets_[next_].missing == 0; ++next_)
      if (buckets_[next_].expected > 0) buckets_[next_].work = send(buckets_[next_].flat);
  }

  c10::intrusive_ptr<c10d::Work> send(const at::Tensor &tensor) {
    std::vector<at::Tensor> tensors{tensor};
    c10d::Backend &backend = group_->backend(tensor);
    // A GPU reports when work was queued, not when it finished, so only the waiting time is measured there.
    if (tensor.is_cuda()) return backend.allreduce(tensors);
    traffic_->begin();
    auto work = backend.allreduce(tensors);
    work->getFuture()->addCallback([traffic = traffic_](auto &) { traffic->end(); });
    return work;
  }

  ct_process_group group_;
  std::vector<Bucket> buckets_;
  std::vector<Leaf> leaves_;
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  double scale_ = 1;
  size_t next_ = 0;
  std::vector<size_t> late_;
  bool active_ = false;
};

}  // namespace

struct ct_gradient_reducer_handle {
  std::shared_ptr<Reducer> value;
};

int ct_gradient_reducer_new(ct_gradient_reducer *out, ct_process_group group, const ct_tensor *leaves, int count,
                            int64_t bucket_bytes) {
  return guard([&] {
    std::vector<at::Tensor> tensors;
    for (int i = 0; i < count; ++i) tensors.push_back(leaves[i]->value);
    auto reducer = std::make_shared<Reducer>(group, tensors, bucket_bytes);
    reducer->watch();
    *out = new ct_gradient_reducer_handle{std::move(reducer)};
  });
}

void ct_gradient_reducer_free(ct_gradient_reducer reducer) { delete reducer; }

int ct_gradient_reducer_begin(ct_gradient_reducer reducer, double scale) {
  return guard([&] { reducer->value->begin(scale); });
}

int ct_gradient_reducer_finish(ct_gradient_reducer reducer, double *communicating, double *waited) {
  return guard([&] { reducer->value->finish(communicating, waited); });
}
