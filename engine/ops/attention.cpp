#include "kernels/attention.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/core/threads.h"
#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

namespace {

// What both forms of the op come to: queries of M rows, keys and values of N, each a part of the
// rows of a tensor. One tensor may hold all three.
struct Inputs {
  Tensor queries, keys_values;
  Tensor query_offsets, offsets;    // i64 [B + 1]
  std::int64_t heads, width;        // width: columns of the queries of a row, of its keys, values
  std::int64_t keys_at, values_at;  // their first columns
  std::int64_t longest_queries, longest;  // most queries of a cell, rows of the longest cell
};

void check_heads(const char* input, const Tensor& x, std::int64_t parts, std::int64_t heads) {
  check_matrix("attention", input, x);
  check(heads > 0 && x.shape()[1] % (parts * heads) == 0 && x.shape()[1] > 0,
        "attention: {} columns are not {} times {} heads of one size, in {}", x.shape()[1], parts,
        heads, input);
}

// i32 [B]: the cells, longest first; equal ones in their order.
Tensor cells_by_length(const Tensor& offsets) {
  const auto at = offsets.host<std::int64_t>();
  std::vector<std::int32_t> cells(at.size() - 1);
  std::iota(cells.begin(), cells.end(), 0);
  const auto rows = [&](std::int32_t cell) {
    const auto c = static_cast<std::size_t>(cell);
    return at[c + 1] - at[c];
  };
  std::stable_sort(cells.begin(), cells.end(),
                   [&](std::int32_t a, std::int32_t b) { return rows(a) > rows(b); });
  return Tensor::from(cells);
}

// Points into the offsets and `order`.
kernels::AttentionLayout layout_of(const Inputs& in, const Tensor& order) {
  const Device device = in.queries.device();
  return {.query_offsets = in.query_offsets.data_on<std::int64_t>(device),
          .offsets = in.offsets.data_on<std::int64_t>(device),
          .cells_by_length = order.data_on<std::int32_t>(device),
          .cells = order.numel(),
          .longest = in.longest,
          .longest_queries = in.longest_queries,
          .heads = in.heads,
          .head_size = in.width / in.heads,
          .workers = thread_count(),
          .dtype = in.queries.dtype()};
}

kernels::AttentionDropout checked_dropout(const Dropout& dropout, std::int64_t rows,
                                          Device device) {
  check(0 <= dropout.probability && dropout.probability < 1,
        "attention: a dropout probability lies in [0, 1), got {}", dropout.probability);
  if (dropout.probability == 0) return {};
  check_tensor("attention", "row_keys", dropout.row_keys, {rows}, DType::kI64);
  return {.enabled = true,
          .row_keys = dropout.row_keys.data_on<std::int64_t>(device),
          .key = dropout.key,
          .threshold = drop_threshold(dropout.probability),
          .scale = 1 / (1 - static_cast<double>(dropout.probability))};
}

kernels::RowsOfHeads<const void*> part(const Tensor& x, std::int64_t first_column) {
  const auto* base = static_cast<const std::byte*>(x.data());
  return {base + first_column * static_cast<std::int64_t>(size_of(x.dtype())), x.shape()[1]};
}

kernels::Gradient part(kernels::Gradient whole, std::int64_t first_column, DType dtype) {
  if (!whole.data) return whole;
  const auto bytes = first_column * static_cast<std::int64_t>(size_of(dtype));
  return {static_cast<std::byte*>(whole.data) + bytes, whole.accumulate};
}

// For a pass whose bytes `bytes_on(stream)` says.
template <class BytesOn>
Tensor workspace(Device device, const BytesOn& bytes_on) {
  return Tensor::empty({kernels::with_stream(device, bytes_on)}, DType::kU8, device);
}

// A call between its two passes. `dropout` and `layout` point into tensors that the other members
// own.
struct Call {
  Inputs in;
  Tensor order, row_keys;
  kernels::AttentionDropout dropout;
  kernels::AttentionLayout layout;
  Tensor y, log_sums;

  Call(Inputs inputs, const Dropout& drop);
  void forward();
  void backward(const Tensor& dy, kernels::Gradient dqueries, kernels::Gradient dkeys,
                kernels::Gradient dvalues) const;
};

Call::Call(Inputs inputs, const Dropout& drop)
    : in(std::move(inputs)),
      order(cells_by_length(in.offsets)),
      dropout(checked_dropout(drop, in.queries.shape()[0], in.queries.device())),
      layout(layout_of(in, order)) {
  if (dropout.enabled) row_keys = drop.row_keys;
  const std::int64_t rows = in.queries.shape()[0];
  y = Tensor::empty({rows, in.width}, layout.dtype, in.queries.device());
  log_sums = Tensor::empty({rows, in.heads}, accumulation_type(layout.dtype), in.queries.device());
}

void Call::forward() {
  Tensor space = workspace(
      y.device(), [&](auto& stream) { return attention_forward_workspace(layout, stream); });
  kernels::launch(kernels::AttentionForwardArgs{.queries = part(in.queries, 0),
                                                .keys = part(in.keys_values, in.keys_at),
                                                .values = part(in.keys_values, in.values_at),
                                                .y = y.data(),
                                                .log_sums = log_sums.data(),
                                                .workspace = space.data(),
                                                .layout = layout,
                                                .dropout = dropout},
                  y.device());
}

void Call::backward(const Tensor& dy, kernels::Gradient dqueries, kernels::Gradient dkeys,
                    kernels::Gradient dvalues) const {
  if (!dqueries.data && !dkeys.data) return;
  Tensor space = workspace(
      y.device(), [&](auto& stream) { return attention_backward_workspace(layout, stream); });
  kernels::launch(kernels::AttentionBackwardArgs{.dy = dy.data(),
                                                 .queries = part(in.queries, 0),
                                                 .keys = part(in.keys_values, in.keys_at),
                                                 .values = part(in.keys_values, in.values_at),
                                                 .y = y.data(),
                                                 .log_sums = log_sums.data(),
                                                 .dqueries = dqueries,
                                                 .dkeys = dkeys,
                                                 .dvalues = dvalues,
                                                 .workspace = space.data(),
                                                 .layout = layout,
                                                 .dropout = dropout},
                  dy.device());
}

}  // namespace

Var attention(const Var& qkv, const Tensor& offsets, std::int64_t heads, const Dropout& dropout) {
  const Tensor& x = qkv.value();
  check_heads("qkv", x, 3, heads);
  const std::int64_t width = x.shape()[1] / 3;
  const std::int64_t longest = check_offsets("attention", offsets, x.shape()[0]);
  Call call({x, x, offsets, offsets, heads, width, width, 2 * width, longest, longest}, dropout);
  call.forward();
  return Var::record("attention", call.y, {qkv}, [call](const Tensor& dy, Grads& grads) {
    const DType dtype = call.layout.dtype;
    const kernels::Gradient dqkv = grads.want(0, dtype);
    call.backward(dy, dqkv, part(dqkv, call.in.keys_at, dtype),
                  part(dqkv, call.in.values_at, dtype));
  });
}

Var attention(const Var& queries, const Var& keys_values, const Tensor& query_offsets,
              const Tensor& offsets, std::int64_t heads, const Dropout& dropout) {
  const Tensor &q = queries.value(), &kv = keys_values.value();
  check_heads("queries", q, 1, heads);
  check_matrix("attention", "keys_values", kv);
  check_tensor("attention", "keys_values", kv, {kv.shape()[0], 2 * q.shape()[1]}, q.dtype());
  const std::int64_t longest_queries = check_offsets("attention", query_offsets, q.shape()[0]);
  const std::int64_t longest = check_offsets("attention", offsets, kv.shape()[0]);
  check(query_offsets.numel() == offsets.numel(),
        "attention: the queries are of {} cells, the keys of {}", query_offsets.numel() - 1,
        offsets.numel() - 1);
  Call call({q, kv, query_offsets, offsets, heads, q.shape()[1], 0, q.shape()[1], longest_queries,
             longest},
            dropout);
  call.forward();
  return Var::record(
      "attention", call.y, {queries, keys_values}, [call](const Tensor& dy, Grads& grads) {
        const DType dtype = call.layout.dtype;
        const kernels::Gradient dqueries = grads.want(0, dtype);
        const kernels::Gradient dkeys_values = grads.want(1, dtype);
        call.backward(dy, dqueries, dkeys_values, part(dkeys_values, call.in.values_at, dtype));
      });
}

}  // namespace lodestone
