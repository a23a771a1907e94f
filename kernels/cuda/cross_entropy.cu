// Forward: a block has a row. A thread keeps the maximum of its logits and, beside it, the sum of
// exp(logit - maximum), so that the row is read once; the block's threads are joined in order, and
// one block adds the row losses in order, in f64. Backward: a block has a row and writes every
// element where it read it, so the gradient may take the place of the logits. Moves 1 and 2
// elements per logit. Accesses are of 16 bytes wherever a row begins, with single ones before and
// after.
#include <cfloat>

#include "engine/core/cuda.h"
#include "kernels/cross_entropy.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kSumThreads = 1024;

// Calls f.operator()<width>(first) for all columns of a row that begins at `row`, split over the
// block's threads: width is kWidth where an access of so many elements is aligned, else 1.
template <class T, int kWidth, class F>
__device__ void for_columns(const T* row, std::int64_t columns, const F& f) {
  const auto misplaced =
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(row) / sizeof(T) % kWidth);
  const std::int64_t before = min((kWidth - misplaced) % kWidth, columns);
  const std::int64_t after = before + (columns - before) / kWidth * kWidth;
  if (threadIdx.x < before) f.template operator()<1>(threadIdx.x);
  for (std::int64_t c = before + threadIdx.x * kWidth; c < after; c += kThreads * kWidth)
    f.template operator()<kWidth>(c);
  if (after + threadIdx.x < columns) f.template operator()<1>(after + threadIdx.x);
}

// The largest of some logits, and the sum of exp(logit - maximum). Of none: the least number rather
// than minus infinity, whose difference from itself is none.
struct Softmax {
  float maximum = -FLT_MAX, sum = 0;

  template <class T, int kWidth>
  __device__ void add(const Chunk<T, kWidth>& logits) {
    float highest = maximum;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) highest = fmaxf(highest, logits[i]);
    sum *= __expf(maximum - highest);
    maximum = highest;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum += __expf(logits[i] - maximum);
  }
  __device__ void add(const Softmax& other) {
    const float highest = fmaxf(maximum, other.maximum);
    sum = sum * __expf(maximum - highest) + other.sum * __expf(other.maximum - highest);
    maximum = highest;
  }
};

// Of all the block's threads, in every thread.
__device__ Softmax of_block(Softmax own) {
  __shared__ Softmax warps[kWarps];
#pragma unroll
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    own.add(Softmax{__shfl_xor_sync(0xffffffffu, own.maximum, distance),
                    __shfl_xor_sync(0xffffffffu, own.sum, distance)});
  if (threadIdx.x % kWarpSize == 0) warps[threadIdx.x / kWarpSize] = own;
  __syncthreads();
  Softmax all;
  for (const Softmax& warp : warps) all.add(warp);
  return all;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_forward(const __grid_constant__ CrossEntropyForwardArgs a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t label = a.labels[row];
  float* loss = static_cast<float*>(a.row_losses) + row;
  if (label == kIgnoredLabel) {
    if (threadIdx.x == 0) *loss = 0;
    return;
  }
  const T* logits = static_cast<const T*>(a.logits) + row * a.columns;
  Softmax own;
  for_columns<T, kElementsOf16Bytes<T>>(logits, a.columns, [&]<int kWidth>(std::int64_t first) {
    own.add(Chunk<T, kWidth>::load(logits + first));
  });
  const Softmax all = of_block(own);
  if (threadIdx.x != 0) return;
  const float log_sum = logf(all.sum);
  static_cast<float*>(a.maxima)[row] = all.maximum;
  static_cast<float*>(a.log_sums)[row] = log_sum;
  *loss = log_sum - (static_cast<float>(logits[label]) - all.maximum);
}

__global__ void __launch_bounds__(kSumThreads)
    sum_of_losses(const float* row_losses, std::int64_t rows, float* loss) {
  const double sum =
      block_total<kSumThreads>(rows, [=](std::int64_t m) -> double { return row_losses[m]; });
  if (threadIdx.x == 0) *loss = static_cast<float>(sum);
}

// kWidth: 1 where logits and gradient do not have the same place in 16 bytes.
template <class T, int kMostWidth>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_backward(const __grid_constant__ CrossEntropyBackwardArgs a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t label = a.labels[row];
  const bool accumulate = a.dlogits.accumulate, ignored = label == kIgnoredLabel;
  if (ignored && accumulate) return;
  const T* logits = static_cast<const T*>(a.logits) + row * a.columns;
  T* dlogits = static_cast<T*>(a.dlogits.data) + row * a.columns;
  const float dloss = ignored ? 0 : *static_cast<const float*>(a.dloss);
  const float maximum = static_cast<const float*>(a.maxima)[row];
  const float log_sum = static_cast<const float*>(a.log_sums)[row];
  for_columns<T, kMostWidth>(dlogits, a.columns, [&]<int kWidth>(std::int64_t first) {
    float values[kWidth] = {};
    if (!ignored) {
      const auto chunk = Chunk<T, kWidth>::load(logits + first);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        const float probability = __expf((chunk[i] - maximum) - log_sum);
        values[i] = dloss * (first + i == label ? probability - 1 : probability);
      }
    }
    put(dlogits + first, accumulate, values);
  });
}

}  // namespace

void run(const CrossEntropyForwardArgs& args, CudaStream& stream) {
  if (args.rows > 0)
    visit_floating_cuda(args.dtype, [&]<class T>() {
      cross_entropy_forward<T>
          <<<static_cast<unsigned>(args.rows), kThreads, 0, stream.native()>>>(args);
    });
  sum_of_losses<<<1, kSumThreads, 0, stream.native()>>>(static_cast<const float*>(args.row_losses),
                                                        args.rows, static_cast<float*>(args.loss));
  cuda_check(cudaGetLastError());
}

void run(const CrossEntropyBackwardArgs& args, CudaStream& stream) {
  if (args.rows == 0) return;
  const auto place = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at) % 16; };
  const bool same_place = place(args.logits) == place(args.dlogits.data);
  visit_floating_cuda(args.dtype, [&]<class T>() {
    const auto kernel = same_place ? cross_entropy_backward<T, kElementsOf16Bytes<T>>
                                   : cross_entropy_backward<T, 1>;
    kernel<<<static_cast<unsigned>(args.rows), kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
