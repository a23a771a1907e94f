#pragma once
// The product library at its best: what our products are held against.
#include <cstdint>
#include <functional>

#include "engine/core/dtype.h"

namespace lodestone::bench {

// c[m, n] = a[m, k] @ b[k, n].
struct ProductShape {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false;    // a is stored [k, m]
  bool constant_b = true;      // b is a weight: packed beforehand as the library likes it
  DType dtype = DType::kF32;   // of a and b, f32 or bf16
  DType result = DType::kF32;  // of c
};

// Runs oneDNN's matmul of that shape, made ready once; empty when it has none for the processor.
std::function<void()> library_product(const ProductShape& shape);

}  // namespace lodestone::bench
