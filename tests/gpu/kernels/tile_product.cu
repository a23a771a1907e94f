// A product of bf16 matrices through cp.async, ldmatrix and mma: tiles of 64 x 64 with k in steps
// of 64, two buffers, four warps of 16 rows. Also one tf32 product and a transposition, of one warp
// each.
#include <cuda_runtime.h>

#include "tests/gpu/kernels/tensor_core.cuh"
#include "tests/gpu/kernels/tile_kernels.h"

namespace lodestone::gpu_tests {
namespace {

constexpr int kTile = 64;
constexpr int kThreads = 128;

__device__ __forceinline__ int place(int row, int chunk) {
  return row * 128 + (chunk ^ (row & 7)) * 16;
}

__device__ __forceinline__ void copy_tile(const std::uint16_t* to, const std::uint16_t* from,
                                          int first_row, int rows, int first_k, int k) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * 8; i += kThreads) {
    const int row = i / 8;
    const int chunk = i % 8;
    const bool exists = first_row + row < rows;
    copy_async(shared_address(to) + place(row, chunk),
               from + (exists ? first_row + row : 0) * k + first_k + chunk * 8, exists);
  }
}

__device__ __forceinline__ void multiply_tiles(float (&c)[8][4], std::uint32_t a, std::uint32_t b) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    std::uint32_t a_words[4];
    load_matrices<4, false>(a_words, a + place(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      std::uint32_t b_words[2];
      load_matrices<2, false>(b_words, b + place(n * 8 + (lane & 7), k * 2 + (lane >> 3 & 1)));
      multiply_bf16(c[n], a_words, b_words[0], b_words[1]);
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    product_kernel(const __grid_constant__ ProductArgs args) {
  __shared__ __align__(128) std::uint16_t a[2][kTile * kTile];
  __shared__ __align__(128) std::uint16_t b[2][kTile * kTile];
  const int first_row = static_cast<int>(blockIdx.y) * kTile;
  const int first_column = static_cast<int>(blockIdx.x) * kTile;
  const int steps = args.k / kTile;
  const auto begin = [&](int step) {
    copy_tile(a[step & 1], args.a, first_row, args.m, step * kTile, args.k);
    copy_tile(b[step & 1], args.b, first_column, args.n, step * kTile, args.k);
    commit_copies();
  };
  begin(0);
  float c[8][4] = {};
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      begin(step + 1);
      wait_copies<1>();
    } else {
      wait_copies<0>();
    }
    __syncthreads();
    multiply_tiles(c, shared_address(a[step & 1]), shared_address(b[step & 1]));
    __syncthreads();
  }
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = first_row + static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4;
#pragma unroll
  for (int n = 0; n < 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + (i >> 1) * 8;
      const int column = first_column + n * 8 + lane % 4 * 2 + (i & 1);
      if (r < args.m && column < args.n) args.c[r * args.n + column] = c[n][i];
    }
}

__global__ void __launch_bounds__(32) tf32_kernel(const float* a, const float* b, float* d) {
  const int group = static_cast<int>(threadIdx.x) / 4;
  const int member = static_cast<int>(threadIdx.x) % 4;
  std::uint32_t a_words[4];
  for (int i = 0; i < 4; ++i)
    a_words[i] = __float_as_uint(a[(group + i % 2 * 8) * 8 + member + i / 2 * 4]);
  float sums[4] = {};
  multiply_tf32(sums, a_words, __float_as_uint(b[group * 8 + member]),
                __float_as_uint(b[group * 8 + member + 4]));
  for (int i = 0; i < 4; ++i) d[(group + i / 2 * 8) * 8 + member * 2 + i % 2] = sums[i];
}

__global__ void __launch_bounds__(32)
    transpose_kernel(const std::uint16_t* from, std::uint16_t* to) {
  __shared__ __align__(16) std::uint16_t in[16 * 16];
  __shared__ __align__(16) std::uint16_t out[16 * 16];
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) in[i] = from[i];
  __syncwarp();
  // Matrix 1 is below matrix 0, 2 to its right; transposed it is the other way round.
  const int row = lane % 16;
  const int column = lane / 16 * 8;
  std::uint32_t words[4];
  load_matrices<4, false>(words, shared_address(in + row * 16 + column));
  const int turned_row = lane % 8 + lane / 16 * 8;
  const int turned_column = lane / 8 % 2 * 8;
  store_matrices<true>(shared_address(out + turned_row * 16 + turned_column), words);
  __syncwarp();
  for (int i = lane; i < 256; i += 32) to[i] = out[i];
}

}  // namespace

cudaError_t tile_product(const ProductArgs& args) {
  const dim3 grid(static_cast<unsigned>((args.n + kTile - 1) / kTile),
                  static_cast<unsigned>((args.m + kTile - 1) / kTile));
  product_kernel<<<grid, kThreads>>>(args);
  return cudaGetLastError();
}

cudaError_t tf32_product(const float* a, const float* b, float* d) {
  tf32_kernel<<<1, 32>>>(a, b, d);
  return cudaGetLastError();
}

cudaError_t transpose_matrices(const std::uint16_t* from, std::uint16_t* to) {
  transpose_kernel<<<1, 32>>>(from, to);
  return cudaGetLastError();
}

}  // namespace lodestone::gpu_tests
