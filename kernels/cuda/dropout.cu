// A warp has a row; a lane makes the random words of its columns as it goes (one Philox block for
// four of them), so the mask is never stored. Every element is read once and written once.
#include "engine/core/cuda.h"
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/dropout.h"

namespace lodestone::kernels {

namespace {

constexpr int kWarps = 4;
constexpr unsigned kThreads = kWarps * kWarpSize;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) dropout(const __grid_constant__ DropoutArgs a) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= a.rows) return;
  const DropoutRow mask(a.mask, row);
  const T* from = static_cast<const T*>(a.from) + row * a.cols;
  T* to = static_cast<T*>(a.to.data) + row * a.cols;
  constexpr std::int64_t kStep = kWarpSize * kWidth;
  for (std::int64_t c = threadIdx.x % kWarpSize * kWidth; c < a.cols; c += kStep) {
    const auto chunk = Chunk<T, kWidth>::load(from + c);
    float values[kWidth];
    mask.factors(c, values);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] *= chunk[i];
    put(to + c, a.to.accumulate, values);
  }
}

}  // namespace

void run(const DropoutArgs& args, CudaStream& stream) {
  if (args.rows == 0 || !args.to.data) return;
  const auto blocks = static_cast<unsigned>((args.rows + kWarps - 1) / kWarps);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const auto kernel = in_16_bytes<T>(args.cols, args.from, args.to.data)
                            ? dropout<T, kElementsOf16Bytes<T>>
                            : dropout<T, 1>;
    kernel<<<blocks, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
