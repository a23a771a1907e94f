#include "kernels/add_positions.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

constexpr const char* kOp = "add_positions";

void check_shapes(const Tensor& x, const Tensor& token_type, const Tensor& positions,
                  const Tensor& offsets) {
  check_matrix(kOp, "x", x);
  check_matrix(kOp, "token_type", token_type);
  check_matrix(kOp, "positions", positions);
  const std::int64_t columns = x.shape()[1];
  check_tensor(kOp, "token_type", token_type, {token_type.shape()[0], columns}, x.dtype());
  check_tensor(kOp, "positions", positions, {positions.shape()[0], columns}, x.dtype());
  check(token_type.shape()[0] > 0, "add_positions: token_type has no row");
  const std::int64_t longest = check_offsets(kOp, offsets, x.shape()[0]);
  check(longest <= positions.shape()[0],
        "add_positions: a cell has {} rows but there are {} positions", longest,
        positions.shape()[0]);
}

}  // namespace

Var add_positions(const Var& x, const Var& token_type, const Var& positions,
                  const Tensor& offsets) {
  const Tensor& x_in = x.value();
  check_shapes(x_in, token_type.value(), positions.value(), offsets);
  const std::int64_t cells = offsets.numel() - 1;
  Tensor y = Tensor::empty_like(x_in);
  kernels::launch(
      kernels::AddPositionsForwardArgs{.x = x_in.data(),
                                       .token_type = token_type.value().data(),
                                       .positions = positions.value().data(),
                                       .offsets = offsets.data_on<std::int64_t>(x_in.device()),
                                       .y = y.data(),
                                       .cells = cells,
                                       .rows = x_in.shape()[0],
                                       .columns = x_in.shape()[1],
                                       .dtype = x_in.dtype()},
      x_in.device());
  return Var::record(
      kOp, y, {x, token_type, positions},
      [offsets, cells, types = token_type.shape()[0], position_rows = positions.shape()[0]](
          const Tensor& dy, Grads& grads) {
        const DType wide = accumulation_type(dy.dtype());
        const std::int64_t bytes = kernels::with_stream(dy.device(), [&](auto& stream) {
          return kernels::add_positions_backward_workspace(position_rows, dy.shape()[1], stream);
        });
        Tensor workspace = Tensor::empty({bytes}, DType::kU8, dy.device());
        kernels::launch(
            kernels::AddPositionsBackwardArgs{.dy = dy.data(),
                                              .offsets = offsets.data_on<std::int64_t>(dy.device()),
                                              .dx = grads.want(0, dy.dtype()),
                                              .dtoken_type = grads.want(1, wide),
                                              .dpositions = grads.want(2, wide),
                                              .workspace = workspace.data(),
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
