#pragma once
// c[m, n] = a[m, k] @ b[k, n] (+ bias[n]) (+ c), all row-major: the one place where the CPU backend
// multiplies matrices.
#include <cstdint>

#include "engine/core/dtype.h"

namespace lodestone::kernels {

struct MatrixProduct {
  const void* a = nullptr;     // [m, k], or [k, m] when transpose_a
  const void* b = nullptr;     // [k, n], or [n, k] when transpose_b
  const void* bias = nullptr;  // [n] of `dtype`; may be null; not with `accumulate`
  void* c = nullptr;           // [m, n] of `result`
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;     // add to c; otherwise c is never read
  DType dtype = DType::kF32;   // of a, b and bias
  DType result = DType::kF32;  // dtype, or f32 for bf16
};

// Sums in f32 (f64 for f64). The same bits for the same shapes, values and number of threads.
void matrix_product(const MatrixProduct& product);

}  // namespace lodestone::kernels
