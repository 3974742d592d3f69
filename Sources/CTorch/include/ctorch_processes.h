// Process groups and the gradients that their processes share.

#ifndef CTORCH_PROCESSES_H
#define CTORCH_PROCESSES_H

#include "ctorch_base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_process_group_handle *ct_process_group;
typedef struct ct_work_handle *ct_work;
typedef struct ct_gradient_reducer_handle *ct_gradient_reducer;

// MARK: Process groups (process_group.cpp, process_group_nccl.cpp)

// Connects to the other `size` - 1 processes at host:port, where rank 0 listens. `milliseconds` is the timeout of this
// and of all work of the group. CPU tensors use Gloo. If `place` is a GPU, which no other process of the group may use,
// it becomes the thread's current device, and its tensors use NCCL.
int ct_process_group_new(ct_process_group *out, const char *host, int port, int rank, int size, ct_device place,
                         int64_t milliseconds);
void ct_process_group_free(ct_process_group group);
// These start work on contiguous tensors, in the same order in every process. `ct_work_wait` waits for it and returns
// its failure, if any.
int ct_all_reduce(ct_work *out, ct_process_group group, ct_tensor tensor);  // the sum, in place
int ct_broadcast(ct_work *out, ct_process_group group, ct_tensor tensor, int root);
// gathered: the elements of `own` of each process, by rank.
int ct_all_gather(ct_work *out, ct_process_group group, ct_tensor gathered, ct_tensor own);
int ct_work_wait(ct_work work);
void ct_work_free(ct_work work);

// MARK: Gradients of a process group (gradient_reducer.cpp)

// Averages the gradients of the leaves over the group, in buckets of about `bucket_bytes` that are sent during the
// backward pass. The leaves are in the order of the forward pass, the same in every process.
int ct_gradient_reducer_new(ct_gradient_reducer *out, ct_process_group group, const ct_tensor *leaves, int count,
                            int64_t bucket_bytes);
void ct_gradient_reducer_free(ct_gradient_reducer reducer);
// Announces the last backward pass before `finish`. Its gradients and those already in the leaves are multiplied by
// `scale` and summed over the group.
int ct_gradient_reducer_begin(ct_gradient_reducer reducer, double scale);
// Waits for the sums and stores them as the leaves' gradients. `communicating`: seconds during which a bucket was in
// flight; `waited`: seconds that this call waited.
int ct_gradient_reducer_finish(ct_gradient_reducer reducer, double *communicating, double *waited);

#ifdef __cplusplus
}
#endif

#endif
