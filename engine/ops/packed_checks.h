#pragma once
// What the ops that know cells and rows demand of their index tensors. Read on the CPU.
#include <cstdint>

#include "engine/tensor.h"

namespace lodestone {

// Throws kInvalidArgument unless `offsets` is i64 [B + 1], starts at 0, never decreases and ends at
// `rows`. Returns the rows of the longest cell (0 without cells).
std::int64_t check_offsets(const char* op, const Tensor& offsets, std::int64_t rows);

// Throws kInvalidArgument, naming the first offender, unless `indices` is i32 [count] with every
// element in [0, limit).
void check_indices(const char* op, const char* what, const Tensor& indices, std::int64_t count,
                   std::int64_t limit);

// Throws kInvalidArgument unless the tensor has this shape and dtype.
void check_tensor(const char* op, const char* what, const Tensor& tensor, const Shape& shape,
                  DType dtype);

// Throws kInvalidArgument unless the tensor is a matrix of a floating dtype.
void check_matrix(const char* op, const char* what, const Tensor& tensor);

}  // namespace lodestone
