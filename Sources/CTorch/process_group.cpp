// Process groups: c10d over a TCP store, with Gloo for CPU tensors and NCCL for GPU tensors.

// Gloo is part of libtorch_cpu; gloo-declarations/ contains this package's declarations of it.
#define USE_C10D_GLOO

#include "process_group.h"

#include <c10/util/Flags.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstdlib>

using namespace ctorch;

C10_DECLARE_int(caffe2_log_level);

struct ct_work_handle {
  c10::intrusive_ptr<c10d::Work> value;
};

namespace {

// The network interface: loopback for processes on one machine, the interface in GLOO_SOCKET_IFNAME (as in PyTorch), or
// that of this machine's host name.
std::shared_ptr<gloo::transport::Device> network(const std::string &host) {
  const char *interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface && *interface) return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  if (host == "127.0.0.1" || host == "localhost" || host == "::1")
    return c10d::ProcessGroupGloo::createDeviceForHostname(host);
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

// All failures are also thrown, so c10d need not log them with a stack trace unless the user asks for it.
void quieten() {
  if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = 3;
}

template <typename Start>
int begin(ct_work *out, Start &&start) {
  return guard([&] { *out = new ct_work_handle{start()}; });
}

}  // namespace

int ct_process_group_new(ct_process_group *out, const char *host, int port, int rank, int size, ct_device place,
                         int64_t milliseconds) {
  return guard([&] {
    quieten();
    std::chrono::milliseconds timeout(milliseconds);
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = rank == 0;
    options.numWorkers = static_cast<std::size_t>(size);
    options.timeout = timeout;
    c10::intrusive_ptr<c10d::Store> store;
    // torchrun runs its own server at the port, for all processes and restarts.
    const char *agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    if (agent && std::string(agent) == "True") {
      options.isServer = false;
      const char *attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
      store = c10::make_intrusive<c10d::PrefixStore>(std::string("attempt_") + (attempt ? attempt : "0"),
                                                     c10::make_intrusive<c10d::TCPStore>(host, options));
    } else {
      store = c10::make_intrusive<c10d::TCPStore>(host, options);
    }
    auto gloo = c10d::ProcessGroupGloo::Options::create(timeout);
    gloo->devices.push_back(network(host));
    auto group = std::make_unique<ct_process_group_handle>();
    group->store = store;
    group->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, gloo);
    if (place.type == CT_CUDA) group->nccl = nccl_backend(store, rank, size, timeout, device(place));
    *out = group.release();
  });
}

void ct_process_group_free(ct_process_group group) { delete group; }

int ct_all_reduce(ct_work *out, ct_process_group group, ct_tensor tensor) {
  return begin(out, [&] {
    std::vector<at::Tensor> tensors{tensor->value};
    return group->backend(tensor->value).allreduce(tensors);
  });
}

int ct_broadcast(ct_work *out, ct_process_group group, ct_tensor tensor, int root) {
  return begin(out, [&] {
    std::vector<at::Tensor> tensors{tensor->value};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    return group->backend(tensor->value).broadcast(tensors, options);
  });
}

int ct_all_gather(ct_work *out, ct_process_group group, ct_tensor gathered, ct_tensor own) {
  return begin(out, [&] { return group->backend(own->value)._allgather_base(gathered->value, own->value); });
}

int ct_work_wait(ct_work work) {
  return guard([&] { work->value->wait(); });
}

void ct_work_free(ct_work work) { delete work; }
