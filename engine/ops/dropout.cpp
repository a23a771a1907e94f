#include "kernels/dropout.h"

#include "engine/ops.h"
#include "engine/ops/dropout_mask.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var dropout(const Var& x, const Dropout& dropout) {
  const Tensor& x_in = x.value();
  check_matrix("dropout", "x", x_in);
  const std::int64_t rows = x_in.shape()[0], cols = x_in.shape()[1];
  const kernels::DropoutMask mask = checked_mask("dropout", dropout, rows, x_in.device());
  if (!mask.enabled) return x;

  Tensor y = Tensor::empty_like(x_in);
  kernels::launch(kernels::DropoutArgs{.from = x_in.data(),
                                       .to = {.data = y.data()},
                                       .rows = rows,
                                       .cols = cols,
                                       .mask = mask,
                                       .dtype = x_in.dtype()},
                  x_in.device());
  // `row_keys` owns what `mask` points to.
  return Var::record(
      "dropout", y, {x},
      [row_keys = dropout.row_keys, mask, rows, cols](const Tensor& dy, Grads& grads) {
        kernels::launch(kernels::DropoutArgs{.from = dy.data(),
                                             .to = grads.want(0, dy.dtype()),
                                             .rows = rows,
                                             .cols = cols,
                                             .mask = mask,
                                             .dtype = dy.dtype()},
                        dy.device());
      });
}

}  // namespace lodestone
