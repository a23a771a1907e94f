// A block has a piece, a thread four neighbouring elements at a time: 16-byte accesses to four
// arrays read and four written, 8-byte ones to the bf16 values, 34 bytes a weight in all. The scale
// of the gradients is computed from the norm where it lies, by every thread, so that nothing waits
// for the host.
#include "engine/core/cuda.h"
#include "kernels/adamw.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr unsigned kThreads = 256;

template <bool kRounded, int kWidth>
__device__ void update_elements(const AdamWArgs& a, std::int64_t at, float scale, float keep) {
  using C = Chunk<float, kWidth>;
  const AdamWFactors& f = a.factors;
  C gradient = C::load(a.gradients + at), master = C::load(a.masters + at);
  C first = C::load(a.first + at), second = C::load(a.second + at);
  Chunk<__nv_bfloat16, kWidth> value;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float g = scale * gradient[i];
    first.set(i, f.beta1 * first[i] + f.add1 * g);
    second.set(i, f.beta2 * second[i] + f.add2 * g * g);
    const float denominator = sqrtf(second[i]) * f.root_correction + f.eps;
    master.set(i, keep * master[i] - f.rate * first[i] / denominator);
    gradient.set(i, 0);
    value.set(i, master[i]);
  }
  gradient.store(a.gradients + at);
  first.store(a.first + at);
  second.store(a.second + at);
  master.store(a.masters + at);
  if (kRounded) value.store(static_cast<__nv_bfloat16*>(a.values) + at);
}

template <bool kRounded, int kWidth>
__global__ void __launch_bounds__(kThreads, 5) adamw(const __grid_constant__ AdamWArgs a) {
  const double norm = *a.norm;
  if (!isfinite(norm)) return;
  const auto scale = static_cast<float>(clip_coefficient(norm, a.factors.max_norm));
  const float keep = a.decays[blockIdx.x] != 0 ? a.factors.keep : 1.0f;
  const std::int64_t end = a.offsets[blockIdx.x + 1];
  for (std::int64_t at = a.offsets[blockIdx.x] + threadIdx.x * kWidth; at < end;
       at += kThreads * kWidth) {
    if (at + kWidth <= end)
      update_elements<kRounded, kWidth>(a, at, scale, keep);
    else
      for (std::int64_t i = at; i < end; ++i) update_elements<kRounded, 1>(a, i, scale, keep);
  }
}

template <bool kRounded>
void launch(const AdamWArgs& a, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(a.pieces);
  if (aligned_to_16_bytes(a.gradients, a.masters, a.first, a.second,
                          static_cast<const char*>(a.values)))
    adamw<kRounded, 4><<<blocks, kThreads, 0, stream>>>(a);
  else
    adamw<kRounded, 1><<<blocks, kThreads, 0, stream>>>(a);
}

}  // namespace

void run(const AdamWArgs& args, CudaStream& stream) {
  if (args.pieces == 0) return;
  args.values ? launch<true>(args, stream.native()) : launch<false>(args, stream.native());
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
