// The tensor operation for reading files.

#include "support.h"

using namespace ctorch;

int ct_as_strided(ct_tensor *out, ct_tensor x, const int64_t *shape, const int64_t *strides, int rank) {
  return make(out, [&] { return x->value.as_strided(ints(shape, rank), ints(strides, rank)); });
}
