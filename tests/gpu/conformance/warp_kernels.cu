// What the lanes of a warp do together. All of them take part.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

// A value, and what the instruction says beside it.
struct Answer {
  std::uint32_t value;
  std::uint32_t predicate;
};

__device__ Answer shuffle_up(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  Answer d;
  asm volatile("{ .reg .pred p; shfl.sync.up.b32 %0|p, %2, %3, %4, -1; selp.u32 %1, 1, 0, p; }"
               : "=r"(d.value), "=r"(d.predicate)
               : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ Answer shuffle_down(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  Answer d;
  asm volatile("{ .reg .pred p; shfl.sync.down.b32 %0|p, %2, %3, %4, -1; selp.u32 %1, 1, 0, p; }"
               : "=r"(d.value), "=r"(d.predicate)
               : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ Answer shuffle_butterfly(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  Answer d;
  asm volatile("{ .reg .pred p; shfl.sync.bfly.b32 %0|p, %2, %3, %4, -1; selp.u32 %1, 1, 0, p; }"
               : "=r"(d.value), "=r"(d.predicate)
               : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ Answer shuffle_index(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  Answer d;
  asm volatile("{ .reg .pred p; shfl.sync.idx.b32 %0|p, %2, %3, %4, -1; selp.u32 %1, 1, 0, p; }"
               : "=r"(d.value), "=r"(d.predicate)
               : "r"(a), "r"(b), "r"(c));
  return d;
}
__device__ std::uint32_t ballot(std::uint32_t a) {
  std::uint32_t d;
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.ballot.b32 %0, p, -1; }"
               : "=r"(d)
               : "r"(a));
  return d;
}
__device__ std::uint32_t vote_uniform(std::uint32_t a) {
  std::uint32_t d;
  asm volatile(
      "{ .reg .pred p; setp.ne.u32 p, %1, 0; vote.sync.uni.pred p, p, -1; selp.u32 %0, 1, 0, p; }"
      : "=r"(d)
      : "r"(a));
  return d;
}
__device__ std::uint32_t match_any(std::uint32_t a) {
  std::uint32_t d;
  asm volatile("match.any.sync.b32 %0, %1, -1;" : "=r"(d) : "r"(a));
  return d;
}
__device__ Answer match_all(std::uint64_t a) {
  Answer d;
  asm volatile("{ .reg .pred p; match.all.sync.b64 %0|p, %2, -1; selp.u32 %1, 1, 0, p; }"
               : "=r"(d.value), "=r"(d.predicate)
               : "l"(a));
  return d;
}
__device__ int reduce_minimum(int a) {
  int d;
  asm volatile("redux.sync.min.s32 %0, %1, -1;" : "=r"(d) : "r"(a));
  return d;
}
__device__ std::uint32_t reduce_sum(std::uint32_t a) {
  std::uint32_t d;
  asm volatile("redux.sync.add.u32 %0, %1, -1;" : "=r"(d) : "r"(a));
  return d;
}

}  // namespace

std::vector<ConformanceKernel> warp_kernels() {
  return {conformance_kernel<shuffle_up>("shfl.sync.up.b32"),
          conformance_kernel<shuffle_down>("shfl.sync.down.b32"),
          conformance_kernel<shuffle_butterfly>("shfl.sync.bfly.b32"),
          conformance_kernel<shuffle_index>("shfl.sync.idx.b32"),
          conformance_kernel<ballot>("vote.sync.ballot.b32"),
          conformance_kernel<vote_uniform>("vote.sync.uni.pred"),
          conformance_kernel<match_any>("match.any.sync.b32"),
          conformance_kernel<match_all>("match.all.sync.b64"),
          conformance_kernel<reduce_minimum>("redux.sync.min.s32"),
          conformance_kernel<reduce_sum>("redux.sync.add.u32")};
}

}  // namespace lodestone::gpu_tests
