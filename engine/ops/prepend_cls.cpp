#include "kernels/prepend_cls.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var prepend_cls(const Var& x, const Var& cls, const Tensor& species, const Tensor& offsets) {
  constexpr const char* kOp = "prepend_cls";
  check_matrix(kOp, "x", x.value());
  check_matrix(kOp, "cls", cls.value());
  const Tensor& x_in = x.value();
  const std::int64_t rows = x_in.shape()[0], columns = x_in.shape()[1];
  const std::int64_t kinds = cls.shape()[0];
  check_tensor(kOp, "cls", cls.value(), {kinds, columns}, x_in.dtype());
  check_offsets(kOp, offsets, rows);
  const std::int64_t cells = offsets.numel() - 1;
  check_indices(kOp, "species", species, cells, kinds);
  Tensor y = Tensor::empty({rows + cells, columns}, x_in.dtype(), x_in.device());
  kernels::launch(
      kernels::PrependClsForwardArgs{.x = x_in.data(),
                                     .cls = cls.value().data(),
                                     .species = species.data_on<std::int32_t>(x_in.device()),
                                     .offsets = offsets.data_on<std::int64_t>(x_in.device()),
                                     .y = y.data(),
                                     .cells = cells,
                                     .rows = rows,
                                     .columns = columns,
                                     .dtype = x_in.dtype()},
      x_in.device());
  return Var::record(
      kOp, y, {x, cls}, [species, offsets, rows, kinds](const Tensor& dy, Grads& grads) {
        kernels::launch(
            kernels::PrependClsBackwardArgs{.dy = dy.data(),
                                            .species = species.data_on<std::int32_t>(dy.device()),
                                            .offsets = offsets.data_on<std::int64_t>(dy.device()),
                                            .dx = grads.want(0, dy.dtype()),
                                            .dcls = grads.want(1, accumulation_type(dy.dtype())),
                                            .cells = offsets.numel() - 1,
                                            .rows = rows,
                                            .columns = dy.shape()[1],
                                            .kinds = kinds,
                                            .dtype = dy.dtype()},
            dy.device());
      });
}

}  // namespace lodestone
