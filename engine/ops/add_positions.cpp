#include "kernels/add_positions.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var add_positions(const Var& x, const Var& token_type, const Var& positions,
                  const Tensor& offsets) {
  constexpr const char* kOp = "add_positions";
  check_matrix(kOp, "x", x.value());
  check_matrix(kOp, "token_type", token_type.value());
  check_matrix(kOp, "positions", positions.value());
  const Tensor& x_in = x.value();
  const std::int64_t rows = x_in.shape()[0], columns = x_in.shape()[1];
  const std::int64_t types = token_type.shape()[0], position_rows = positions.shape()[0];
  check_tensor(kOp, "token_type", token_type.value(), {types, columns}, x_in.dtype());
  check_tensor(kOp, "positions", positions.value(), {position_rows, columns}, x_in.dtype());
  check(types > 0, "add_positions: token_type has no row");
  const std::int64_t longest = check_offsets(kOp, offsets, rows);
  check(longest <= position_rows, "add_positions: a cell has {} rows but there are {} positions",
        longest, position_rows);
  const std::int64_t cells = offsets.numel() - 1;
  Tensor y = Tensor::empty_like(x_in);
  kernels::launch(kernels::AddPositionsForwardArgs{.x = x_in.data(),
                                                   .token_type = token_type.value().data(),
                                                   .positions = positions.value().data(),
                                                   .offsets = offsets.host<std::int64_t>().data(),
                                                   .y = y.data(),
                                                   .cells = cells,
                                                   .rows = rows,
                                                   .columns = columns,
                                                   .dtype = x_in.dtype()},
                  x_in.device());
  return Var::record(
      kOp, y, {x, token_type, positions},
      [offsets, cells, types, position_rows](const Tensor& dy, Grads& grads) {
        const DType wide = accumulation_type(dy.dtype());
        kernels::launch(
            kernels::AddPositionsBackwardArgs{.dy = dy.data(),
                                              .offsets = offsets.host<std::int64_t>().data(),
                                              .dx = grads.want(0, dy.dtype()),
                                              .dtoken_type = grads.want(1, wide),
                                              .dpositions = grads.want(2, wide),
                                              .cells = cells,
                                              .rows = dy.shape()[0],
                                              .columns = dy.shape()[1],
                                              .types = types,
                                              .position_rows = position_rows,
                                              .dtype = dy.dtype()},
            dy.device());
      });
}

}  // namespace lodestone
