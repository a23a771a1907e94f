// A handful of numbers: one thread, in f64 and in order, as on the CPU. What it buys is that no
// number has to come to the host.
#include "engine/core/cuda.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"
#include "kernels/weighted_sum.h"

namespace lodestone::kernels {

namespace {

template <class T>
__global__ void __launch_bounds__(1)
    weighted_sum_forward(const __grid_constant__ WeightedSumForwardArgs a) {
  double sum = 0;
#pragma unroll
  for (int k = 0; k < kMaxSumTerms; ++k)
    if (k < a.count) sum += a.weights[k] * static_cast<float>(*static_cast<const T*>(a.terms[k]));
  *static_cast<T*>(a.y) = static_cast<T>(static_cast<float>(sum));
}

template <class T>
__global__ void __launch_bounds__(1)
    weighted_sum_backward(const __grid_constant__ WeightedSumBackwardArgs a) {
  const double dy = static_cast<float>(*static_cast<const T*>(a.dy));
#pragma unroll
  for (int k = 0; k < kMaxSumTerms; ++k) {
    if (k >= a.count || !a.dterms[k].data) continue;
    T& to = *static_cast<T*>(a.dterms[k].data);
    const double before = a.dterms[k].accumulate ? static_cast<float>(to) : 0;
    to = static_cast<T>(static_cast<float>(before + a.weights[k] * dy));
  }
}

}  // namespace

void run(const WeightedSumForwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(
      args.dtype, [&]<class T>() { weighted_sum_forward<T><<<1, 1, 0, stream.native()>>>(args); });
  cuda_check(cudaGetLastError());
}

void run(const WeightedSumBackwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(
      args.dtype, [&]<class T>() { weighted_sum_backward<T><<<1, 1, 0, stream.native()>>>(args); });
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
