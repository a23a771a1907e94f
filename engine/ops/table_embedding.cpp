#include "kernels/table_embedding.h"

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

constexpr const char* kOp = "table_embedding";

// Row by row: the tokens of group u are those of table row u, ascending. Together with the number
// of tokens this makes token_order a permutation.
void check_groups(const TokenGroups& groups, std::int64_t table_rows) {
  check(groups.row_of_token.defined(), "{}: row_of_token is missing", kOp);
  const std::int64_t tokens = groups.row_of_token.numel();
  check_indices(kOp, "row_of_token", groups.row_of_token, tokens, table_rows);
  check_indices(kOp, "token_order", groups.token_order, tokens, tokens);
  check_tensor(kOp, "group_offsets", groups.group_offsets, {table_rows + 1}, DType::kI64);
  check_offsets(kOp, groups.group_offsets, tokens);
  const auto rows = groups.row_of_token.host<std::int32_t>();
  const auto order = groups.token_order.host<std::int32_t>();
  const auto offsets = groups.group_offsets.host<std::int64_t>();
  for (std::size_t u = 0; u + 1 < offsets.size(); ++u)
    for (auto i = static_cast<std::size_t>(offsets[u]);
         i < static_cast<std::size_t>(offsets[u + 1]); ++i)
      check(rows[static_cast<std::size_t>(order[i])] == static_cast<std::int64_t>(u) &&
                (i == static_cast<std::size_t>(offsets[u]) || order[i - 1] < order[i]),
            "{}: group {} must list its row's tokens, ascending, but holds token {}", kOp, u,
            order[i]);
}

// `values` is undefined where no value is read.
Backward backward_of(const Tensor& values, const TokenGroups& groups) {
  return [values, groups](const Tensor& dy, Grads& grads) {
    const Device device = dy.device();
    const DType wide = accumulation_type(dy.dtype());
    const std::int64_t tokens = dy.shape()[0], columns = dy.shape()[1];
    const std::int64_t bytes = kernels::with_stream(device, [&](auto& stream) {
      return kernels::table_embedding_backward_workspace(tokens, columns, stream);
    });
    Tensor workspace = Tensor::empty({bytes}, DType::kU8, device);
    kernels::launch(
        kernels::TableEmbeddingBackwardArgs{
            .dy = dy.data(),
            .values = values.defined() ? values.on(device).data() : nullptr,
            .row_of_token = groups.row_of_token.data_on<std::int32_t>(device),
            .token_order = groups.token_order.data_on<std::int32_t>(device),
            .group_offsets = groups.group_offsets.data_on<std::int64_t>(device),
            .dtable = grads.want(0, wide),
            .dvalue_weight = grads.want(1, wide),
            .workspace = workspace.data(),
            .tokens = tokens,
            .columns = columns,
            .table_rows = groups.group_offsets.numel() - 1,
            .dtype = dy.dtype()},
        device);
  };
}

}  // namespace

Var table_embedding(const Var& table, const Var& value_weight, const Tensor& values,
                    const TokenGroups& groups) {
  check_matrix(kOp, "table", table.value());
  const Tensor& from = table.value();
  check_groups(groups, from.shape()[0]);
  const std::int64_t tokens = groups.row_of_token.numel();
  const std::int64_t columns = from.shape()[1];
  if (value_weight.defined()) {
    check_tensor(kOp, "value_weight", value_weight.value(), {columns}, from.dtype());
    check_tensor(kOp, "values", values, {tokens}, accumulation_type(from.dtype()));
  }
  const Tensor read_values = value_weight.defined() ? values : Tensor();
  Tensor y = Tensor::empty({tokens, columns}, from.dtype(), from.device());
  kernels::launch(
      kernels::TableEmbeddingForwardArgs{
          .table = from.data(),
          .value_weight = value_weight.value().data(),
          .values = read_values.defined() ? read_values.on(from.device()).data() : nullptr,
          .row_of_token = groups.row_of_token.data_on<std::int32_t>(from.device()),
          .y = y.data(),
          .tokens = tokens,
          .columns = columns,
          .dtype = from.dtype()},
      from.device());
  return Var::record(kOp, y, {table, value_weight}, backward_of(read_values, groups));
}

}  // namespace lodestone
