// The handle of a process group, shared by what communicates.

#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "support.h"

struct ct_process_group_handle {
  // Kept as long as the group: rank 0's is the server.
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
};
