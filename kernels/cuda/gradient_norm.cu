// A block sums the squares of a piece in f64: each thread those of its chunks, the warp's by a
// tree, the block's in order; a second kernel of one block sums the pieces. Reads the gradients
// once; conversions to f64 (16 a clock and multiprocessor) take a quarter of the time that the
// reads do.
#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/gradient_norm.h"

namespace lodestone::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kTotalThreads = 1024;

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    squares_of_pieces(const __grid_constant__ GradientNormArgs a) {
  const std::int64_t begin = a.offsets[blockIdx.x], end = a.offsets[blockIdx.x + 1];
  const auto squares_of_chunk = [&](std::int64_t chunk) {
    const std::int64_t at = begin + chunk * kWidth;
    Chunk<float, kWidth> x = {};
    if (at + kWidth <= end)
      x = Chunk<float, kWidth>::load(a.gradients + at);
    else
      for (int i = 0; i < kWidth; ++i)
        if (at + i < end) x.elements[i] = a.gradients[at + i];
    double sum = 0;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
  };
  const double total = block_total<kThreads>((end - begin + kWidth - 1) / kWidth, squares_of_chunk);
  if (threadIdx.x == 0) a.squares[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kTotalThreads)
    norm_of_pieces(const __grid_constant__ GradientNormArgs a) {
  const double total =
      block_total<kTotalThreads>(a.pieces, [&](std::int64_t piece) { return a.squares[piece]; });
  if (threadIdx.x == 0) *a.norm = sqrt(total);
}

}  // namespace

void run(const GradientNormArgs& args, CudaStream& stream) {
  const auto blocks = static_cast<unsigned>(args.pieces);
  if (blocks > 0 && aligned_to_16_bytes(args.gradients))
    squares_of_pieces<4><<<blocks, kThreads, 0, stream.native()>>>(args);
  else if (blocks > 0)
    squares_of_pieces<1><<<blocks, kThreads, 0, stream.native()>>>(args);
  cuda_check(cudaGetLastError());
  norm_of_pieces<<<1, kTotalThreads, 0, stream.native()>>>(args);
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
