#include "engine/ops/packed_checks.h"

#include <algorithm>

#include "engine/core/check.h"

namespace lodestone {

std::int64_t check_offsets(const char* op, const Tensor& offsets, std::int64_t rows) {
  check(offsets.defined() && offsets.dtype() == DType::kI64 && offsets.shape().rank() == 1 &&
            offsets.numel() > 0,
        "{}: offsets must be i64 [cells + 1]", op);
  const auto at = offsets.host<std::int64_t>();
  check(at.front() == 0 && at.back() == rows,
        "{}: offsets must go from 0 to the {} rows, they go from {} to {}", op, rows, at.front(),
        at.back());
  std::int64_t longest = 0;
  for (std::size_t cell = 0; cell + 1 < at.size(); ++cell) {
    check(at[cell] <= at[cell + 1], "{}: cell {} has offsets {} and {}, which decrease", op, cell,
          at[cell], at[cell + 1]);
    longest = std::max(longest, at[cell + 1] - at[cell]);
  }
  return longest;
}

void check_indices(const char* op, const char* what, const Tensor& indices, std::int64_t count,
                   std::int64_t limit) {
  check_tensor(op, what, indices, {count}, DType::kI32);
  for (const std::int32_t index : indices.host<std::int32_t>())
    check(0 <= index && index < limit, "{}: {} must lie in 0 .. {}, one is {}", op, what, limit - 1,
          index);
}

void check_tensor(const char* op, const char* what, const Tensor& tensor, const Shape& shape,
                  DType dtype) {
  check(tensor.defined(), "{}: {} is missing", op, what);
  check(tensor.shape() == shape && tensor.dtype() == dtype, "{}: {} must be {} {}, got {} {}", op,
        what, name_of(dtype), shape.text(), name_of(tensor.dtype()), tensor.shape().text());
}

void check_matrix(const char* op, const char* what, const Tensor& tensor) {
  check(tensor.defined(), "{}: {} is missing", op, what);
  check(tensor.shape().rank() == 2 && is_floating(tensor.dtype()),
        "{}: {} must be a matrix of f32, bf16 or f64, got {} {}", op, what, name_of(tensor.dtype()),
        tensor.shape().text());
}

}  // namespace lodestone
