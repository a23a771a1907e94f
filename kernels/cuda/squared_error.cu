// Forward: one number a chosen row, a few thousand in a step, so one block adds them all, in f64
// and in one order. Backward by kernels/cuda/elementwise.cuh, four elements a thread; dloss is read
// on the device.
#include "kernels/cuda/elementwise.cuh"
#include "kernels/squared_error.h"

namespace lodestone::kernels {

namespace {

constexpr int kThreads = 1024;

template <class T>
__global__ void __launch_bounds__(kThreads)
    squared_error_forward(const __grid_constant__ SquaredErrorForwardArgs a) {
  const double sum = block_total<kThreads>(a.count, [&](std::int64_t m) {
    const double prediction = static_cast<float>(static_cast<const T*>(a.predictions)[m]);
    const double error = prediction - static_cast<const float*>(a.targets)[m];
    return error * error;
  });
  if (threadIdx.x == 0) *static_cast<float*>(a.loss) = static_cast<float>(sum);
}

template <class T>
struct SquaredErrorGradient {
  const float* dloss;
  const T* predictions;
  const float* targets;
  T* to;
  bool accumulate;
  template <int kWidth>
  __device__ void at(std::int64_t first) const {
    const auto prediction = Chunk<T, kWidth>::load(predictions + first);
    const auto target = Chunk<float, kWidth>::load(targets + first);
    const float slope = 2 * *dloss;
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = slope * (prediction[i] - target[i]);
    put(to + first, accumulate, values);
  }
};

}  // namespace

void run(const SquaredErrorForwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(args.dtype, [&]<class T>() {
    squared_error_forward<T><<<1, kThreads, 0, stream.native()>>>(args);
  });
  cuda_check(cudaGetLastError());
}

void run(const SquaredErrorBackwardArgs& a, CudaStream& stream) {
  visit_floating_cuda(a.dtype, [&]<class T>() {
    const SquaredErrorGradient<T> gradient{
        static_cast<const float*>(a.dloss), static_cast<const T*>(a.predictions),
        static_cast<const float*>(a.targets), static_cast<T*>(a.dpredictions.data),
        a.dpredictions.accumulate};
    launch_elements<4>(a.count, aligned_to_16_bytes(a.predictions, a.targets, a.dpredictions.data),
                       gradient, stream);
  });
}

}  // namespace lodestone::kernels
