#pragma once
// c[m, n] = a[m, k] @ b[k, n] (+ bias[n], GELU) or c + a @ b, all row-major: the one place where
// the CUDA backend multiplies matrices. Defined twice: by cuBLASLt (matrix_product_cublaslt.cpp),
// and by the host's products for programs that run on the interpreter of tests/gpu, which cannot
// run a closed library (tests/gpu/runtime/matrix_product_host.cpp).
#include <cstdint>
#include <filesystem>

#include "engine/core/dtype.h"
#include "engine/core/stream.h"

namespace lodestone::kernels {

struct MatrixProductArgs {
  const void* a = nullptr;     // [m, k], or [k, m] when transpose_a
  const void* b = nullptr;     // [k, n], or [n, k] when transpose_b
  const void* bias = nullptr;  // [n] of dtype, for a result of dtype; null: none
  void* c = nullptr;           // [m, n] of result
  void* sums = nullptr;        // [m, n] of result, with gelu_tanh: a @ b + bias; null: not wanted
  std::int64_t m = 0, n = 0, k = 0;                       // each at least 1
  std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;  // from row to row; 0: rows are adjacent
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;     // add to c; otherwise c is never read. Not with bias or GELU
  bool gelu_tanh = false;      // c = GELU(a @ b + bias), the tanh form; n a multiple of 8, c and
                               // sums aligned to 16 bytes
  DType dtype = DType::kF32;   // of a, b and bias: f32 or bf16
  DType result = DType::kF32;  // of c: dtype, or f32 for bf16
};

// Sums in f32. The same bits for the same shapes and values once the algorithm is chosen.
void matrix_product(const MatrixProductArgs& args, CudaStream& stream);

struct MatrixProductOptions {
  // The first product of a kind (dtypes, layouts, extents up to an eighth of their power of two)
  // times cuBLASLt's eight best guesses, which waits for the device, and every other one takes the
  // fastest. Otherwise its first guess is taken.
  bool timed = true;
  // f32 factors are rounded to 10 bits of mantissa, for the tensor cores.
  bool tf32 = false;
  // Where what was chosen is kept for later runs, which then have the same bits; empty: nowhere.
  std::filesystem::path folder{};
};

// Makes what products on a device need, cuBLASLt's handle and a workspace, so that none allocates
// later; without this, the first product does it, with the options as they stand here. Throws
// kDevice where there is no cuBLASLt or no such device.
void prepare_matrix_products(Device device, const MatrixProductOptions& options);

}  // namespace lodestone::kernels
