#include "kernels/concat_columns.h"

#include <algorithm>

#include "engine/ops.h"
#include "engine/ops/packed_checks.h"
#include "kernels/launch.h"

namespace lodestone {

Var concat_columns(std::span<const Var> parts, std::span<const float> scales) {
  check(!parts.empty() && parts.size() <= kernels::kMaxConcatParts,
        "concat_columns: takes 1 to {} parts, got {}", kernels::kMaxConcatParts, parts.size());
  check(scales.size() == parts.size(), "concat_columns: {} parts need as many scales, got {}",
        parts.size(), scales.size());
  check_matrix("concat_columns", "the first part", parts[0].value());
  const Tensor& first = parts[0].value();
  kernels::ConcatColumnsForwardArgs args{};
  args.count = static_cast<int>(parts.size());
  args.rows = first.shape()[0];
  args.dtype = first.dtype();
  std::int64_t width = 0;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const Tensor& part = parts[k].value();
    check_matrix("concat_columns", "a part", part);
    check(part.shape()[0] == args.rows && part.dtype() == args.dtype,
          "concat_columns: part {} must have {} rows of {}, got {} {}", k, args.rows,
          name_of(args.dtype), name_of(part.dtype()), part.shape().text());
    args.parts[k] = part.data();
    args.columns[k] = part.shape()[1];
    args.scales[k] = scales[k];
    width += part.shape()[1];
  }
  Tensor y = Tensor::empty({args.rows, width}, args.dtype, first.device());
  args.y = y.data();
  kernels::launch(args, first.device());
  kernels::ConcatColumnsBackwardArgs back{};
  back.count = args.count;
  back.rows = args.rows;
  back.dtype = args.dtype;
  std::copy(std::begin(args.columns), std::end(args.columns), back.columns);
  std::copy(std::begin(args.scales), std::end(args.scales), back.scales);
  return Var::record("concat_columns", y, parts, [back](const Tensor& dy, Grads& grads) {
    kernels::ConcatColumnsBackwardArgs filled = back;
    filled.dy = dy.data();
    for (int k = 0; k < filled.count; ++k) filled.dparts[k] = grads.want(k, filled.dtype);
    kernels::launch(filled, dy.device());
  });
}

}  // namespace lodestone
