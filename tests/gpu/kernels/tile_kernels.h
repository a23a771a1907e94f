#pragma once
// Host functions that launch the test kernels of one family: cp.async, ldmatrix and mma. Pointers
// are the device's. They answer the error of the launch.
#include <cuda_runtime_api.h>

#include <cstdint>

namespace lodestone::gpu_tests {

// What a kernel does wrong, on purpose.
enum class TileBug {
  kNone,
  kNoWait,                // reads tiles without a cp.async.wait_group
  kNoBarrierAfterWait,    // reads what other threads copied
  kNoBarrierBeforeReuse,  // overwrites a tile that other warps still read
  kSwappedFragments,      // a1 and a2 exchanged
  kSwappedHalves,         // the operands of cvt.rn.bf16x2 exchanged
  kPastTheTile,           // ldmatrix beyond the last tile of values
  kWarpSkipsBarrier,
  kReadsPastTheEnd,  // of global memory
  kPlainLayout,      // no mistake, but bank conflicts
};

struct AttentionArgs {
  const std::uint16_t* queries = nullptr;  // bf16 [heads, length, 64], as all of them
  const std::uint16_t* keys = nullptr;
  const std::uint16_t* values = nullptr;
  std::uint16_t* output = nullptr;
  int heads = 0;
  int length = 0;
  float scale = 1;
};
cudaError_t attention(TileBug bug, const AttentionArgs& args);

// c[m, n] = a[m, k] * b[n, k]^T: bf16 rows, f32 result; k a multiple of 64.
struct ProductArgs {
  const std::uint16_t* a = nullptr;
  const std::uint16_t* b = nullptr;
  float* c = nullptr;
  int m = 0, n = 0, k = 0;
};
cudaError_t tile_product(const ProductArgs& args);

// d[16, 8] = a[16, 8] * b[8, 8]^T in tf32, by one warp.
cudaError_t tf32_product(const float* a, const float* b, float* d);

// to = transpose of from: bf16 [16, 16], by one warp through ldmatrix and stmatrix.trans.
cudaError_t transpose_matrices(const std::uint16_t* from, std::uint16_t* to);

}  // namespace lodestone::gpu_tests
