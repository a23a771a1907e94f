#include "kernels/gather_rows.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

Var gather(const char* op, const Var& table, const Tensor& rows, std::int32_t row_without_gradient,
           DType gradient_dtype) {
  const Tensor& from = table.value();
  check(rows.defined(), "{}: rows is missing", op);
  const std::int64_t count = rows.numel();
  const std::int64_t columns = from.shape()[1];
  check_indices(op, "rows", rows, count, from.shape()[0]);
  Tensor y = Tensor::empty({count, columns}, from.dtype(), from.device());
  kernels::launch(kernels::GatherRowsForwardArgs{.table = from.data(),
                                                 .rows = rows.data_on<std::int32_t>(from.device()),
                                                 .y = y.data(),
                                                 .count = count,
                                                 .columns = columns,
                                                 .dtype = from.dtype()},
                  from.device());
  return Var::record(
      op, y, {table},
      [rows, table_rows = from.shape()[0], row_without_gradient, gradient_dtype](const Tensor& dy,
                                                                                 Grads& grads) {
        const kernels::Gradient dtable = grads.want(0, gradient_dtype);
        if (!dtable.data) return;
        kernels::launch(
            kernels::GatherRowsBackwardArgs{.dy = dy.data(),
                                            .rows = rows.data_on<std::int32_t>(dy.device()),
                                            .dtable = dtable,
                                            .count = dy.shape()[0],
                                            .columns = dy.shape()[1],
                                            .table_rows = table_rows,
                                            .row_without_gradient = row_without_gradient,
                                            .dtype = dy.dtype(),
                                            .gradient_dtype = gradient_dtype},
            dy.device());
      });
}

}  // namespace

Var gather_rows(const Var& x, const Tensor& rows) {
  check_matrix("gather_rows", "x", x.value());
  return gather("gather_rows", x, rows, -1, x.value().dtype());
}

Var embedding_lookup(const Var& table, const Tensor& rows, std::int32_t row_without_gradient) {
  check_matrix("embedding_lookup", "table", table.value());
  return gather("embedding_lookup", table, rows, row_without_gradient,
                accumulation_type(table.value().dtype()));
}

}  // namespace lodestone
