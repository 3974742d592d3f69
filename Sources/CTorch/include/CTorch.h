// The C interface to the libtorch operations that this package uses.
//
// Conventions
//   * A `ct_tensor` is an opaque handle with one owner, which releases it with `ct_tensor_free`.
//   * Every function that can fail returns 0, or 1 after storing a message for `ct_last_error` (per thread).
//     No C++ exception leaves this interface. Results are returned through the leading out-parameters.
//   * Shapes and other lists are a pointer and a count. A missing tensor is NULL where a comment says "may be NULL".

#ifndef CTORCH_H
#define CTORCH_H

#include "ctorch_base.h"
#include "ctorch_kernels.h"
#include "ctorch_processes.h"
#include "ctorch_tensors.h"

#endif
