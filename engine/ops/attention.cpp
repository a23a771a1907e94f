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

// Checks the shapes. Points into `offsets`; the order of the cells is still to come.
kernels::AttentionLayout checked_layout(const Tensor& qkv, const Tensor& offsets,
                                        std::int64_t heads) {
  check_matrix("attention", "qkv", qkv);
  check(heads > 0 && qkv.shape()[1] % (3 * heads) == 0 && qkv.shape()[1] > 0,
        "attention: {} columns are not 3 times {} heads of one size", qkv.shape()[1], heads);
  const std::int64_t longest = check_offsets("attention", offsets, qkv.shape()[0]);
  return {.offsets = offsets.host<std::int64_t>().data(),
          .cells_by_length = nullptr,
          .cells = offsets.numel() - 1,
          .longest = longest,
          .heads = heads,
          .head_size = qkv.shape()[1] / (3 * heads),
          .workers = thread_count(),
          .dtype = qkv.dtype()};
}

kernels::AttentionDropout checked_dropout(const Dropout& dropout, std::int64_t rows) {
  check(0 <= dropout.probability && dropout.probability < 1,
        "attention: a dropout probability lies in [0, 1), got {}", dropout.probability);
  if (dropout.probability == 0) return {};
  check_tensor("attention", "row_keys", dropout.row_keys, {rows}, DType::kI64);
  return {.enabled = true,
          .row_keys = dropout.row_keys.host<std::int64_t>().data(),
          .key = dropout.key,
          .threshold = drop_threshold(dropout.probability),
          .scale = 1 / (1 - static_cast<double>(dropout.probability))};
}

Tensor workspace(std::int64_t bytes) {
  return Tensor::empty({bytes}, DType::kU8, Device::cpu());
}

}  // namespace

Var attention(const Var& qkv, const Tensor& offsets, std::int64_t heads, const Dropout& dropout) {
  const Tensor& qkv_in = qkv.value();
  kernels::AttentionLayout layout = checked_layout(qkv_in, offsets, heads);
  const Tensor order = cells_by_length(offsets);
  layout.cells_by_length = order.host<std::int32_t>().data();
  const std::int64_t rows = qkv_in.shape()[0];
  const kernels::AttentionDropout drop = checked_dropout(dropout, rows);
  const Tensor row_keys = drop.enabled ? dropout.row_keys : Tensor();
  Tensor y = Tensor::empty({rows, heads * layout.head_size}, layout.dtype, qkv_in.device());
  Tensor log_sums = Tensor::empty({rows, heads}, accumulation_type(layout.dtype), qkv_in.device());
  Tensor scratch = workspace(attention_forward_workspace(layout, cpu_stream()));
  kernels::launch(kernels::AttentionForwardArgs{.qkv = qkv_in.data(),
                                                .y = y.data(),
                                                .log_sums = log_sums.data(),
                                                .workspace = scratch.data(),
                                                .layout = layout,
                                                .dropout = drop},
                  qkv_in.device());
  return Var::record("attention", y, {qkv},
                     // `offsets`, `order` and `row_keys` own what `layout` and `drop` point to.
                     [qkv_in, y, log_sums, offsets, order, row_keys, layout, drop](const Tensor& dy,
                                                                                   Grads& grads) {
                       const kernels::Gradient dqkv = grads.want(0, layout.dtype);
                       if (!dqkv.data) return;
                       Tensor space = workspace(attention_backward_workspace(layout, cpu_stream()));
                       kernels::launch(kernels::AttentionBackwardArgs{.dy = dy.data(),
                                                                      .qkv = qkv_in.data(),
                                                                      .y = y.data(),
                                                                      .log_sums = log_sums.data(),
                                                                      .dqkv = dqkv,
                                                                      .workspace = space.data(),
                                                                      .layout = layout,
                                                                      .dropout = drop},
                                       dy.device());
                     });
}

}  // namespace lodestone
