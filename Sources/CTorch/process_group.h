// The handle of a process group, shared by all code that communicates.

#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <memory>

#include "support.h"

struct ct_process_group_handle {
  // Exists as long as the group; rank 0's store is the server.
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> gloo;
  // Present if the group was created for a GPU.
  std::shared_ptr<c10d::Backend> nccl;

  // The backend for a tensor, by its device.
  c10d::Backend &backend(const at::Tensor &tensor) const {
    if (!tensor.is_cuda()) return *gloo;
    TORCH_CHECK(nccl, "a GPU tensor in a process group that was created for the CPU");
    return *nccl;
  }
};

namespace ctorch {

// NCCL over the GPUs of the group's processes; `device` is the GPU of this process (process_group_nccl.cpp). Throws if
// libtorch lacks CUDA or NCCL, or if the GPUs cannot connect.
std::shared_ptr<c10d::Backend> nccl_backend(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
                                            std::chrono::milliseconds timeout, c10::Device device);

}  // namespace ctorch
