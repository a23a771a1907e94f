// By kernels/cuda/elementwise.cuh, four elements a thread: 16 bytes of f32, 8 of bf16. Moves 6
// bytes per element between the two types.
#include "kernels/cast.h"
#include "kernels/cuda/elementwise.cuh"

namespace lodestone::kernels {

namespace {

template <class From, class To>
struct Cast {
  const From* from;
  To* to;
  template <int kWidth>
  __device__ void at(std::int64_t first) const {
    const auto source = Chunk<From, kWidth>::load(from + first);
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = source[i];
    put(to + first, false, values);
  }
};

}  // namespace

void run(const CastArgs& a, CudaStream& stream) {
  visit_floating_cuda(a.from_dtype, [&]<class From>() {
    visit_floating_cuda(a.to_dtype, [&]<class To>() {
      launch_elements<4>(a.count, aligned_to_16_bytes(a.from, a.to),
                         Cast<From, To>{static_cast<const From*>(a.from), static_cast<To*>(a.to)},
                         stream);
    });
  });
}

}  // namespace lodestone::kernels
