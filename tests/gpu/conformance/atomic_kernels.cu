// Atomics, each thread on a cell of its own: what they answer and what they leave.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

template <class T>
struct Exchange {
  T before;  // what the instruction answers
  T after;   // what the cell holds then
};

__device__ std::uint64_t cells[kMostConformanceThreads];

// A cell of this thread in global memory that holds the value.
template <class T>
__device__ T* global_cell(T value) {
  T* cell = reinterpret_cast<T*>(cells + blockIdx.x * kWarpSize + threadIdx.x);
  *cell = value;
  return cell;
}

__device__ Exchange<float> global_add(float cell, float b) {
  float* place = global_cell(cell);
  float d;
  asm volatile("atom.global.add.f32 %0, [%1], %2;"
               : "=f"(d)
               : "l"(__cvta_generic_to_global(place)), "f"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<float> shared_add(float cell, float b) {
  __shared__ float shared_cells[kWarpSize];
  float* place = shared_cells + threadIdx.x;
  *place = cell;
  float d;
  asm volatile("atom.shared.add.f32 %0, [%1], %2;"
               : "=f"(d)
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(place))), "f"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<std::uint32_t> add_pair(std::uint32_t cell, std::uint32_t b) {
  std::uint32_t* place = global_cell(cell);
  std::uint32_t d;
  asm volatile("atom.global.add.noftz.bf16x2 %0, [%1], %2;"
               : "=r"(d)
               : "l"(__cvta_generic_to_global(place)), "r"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<int> maximum(int cell, int b) {
  int* place = global_cell(cell);
  int d;
  asm volatile("atom.global.max.s32 %0, [%1], %2;"
               : "=r"(d)
               : "l"(__cvta_generic_to_global(place)), "r"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<std::uint32_t> increment(std::uint32_t cell, std::uint32_t b) {
  std::uint32_t* place = global_cell(cell);
  std::uint32_t d;
  asm volatile("atom.global.inc.u32 %0, [%1], %2;"
               : "=r"(d)
               : "l"(__cvta_generic_to_global(place)), "r"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<std::uint32_t> decrement(std::uint32_t cell, std::uint32_t b) {
  std::uint32_t* place = global_cell(cell);
  std::uint32_t d;
  asm volatile("atom.global.dec.u32 %0, [%1], %2;"
               : "=r"(d)
               : "l"(__cvta_generic_to_global(place)), "r"(b)
               : "memory");
  return {d, *place};
}
__device__ Exchange<std::uint64_t> compare_and_swap(std::uint64_t cell, std::uint64_t b,
                                                    std::uint64_t c) {
  std::uint64_t* place = global_cell(cell);
  std::uint64_t d;
  asm volatile("atom.global.cas.b64 %0, [%1], %2, %3;"
               : "=l"(d)
               : "l"(__cvta_generic_to_global(place)), "l"(b), "l"(c)
               : "memory");
  return {d, *place};
}

}  // namespace

std::vector<ConformanceKernel> atomic_kernels() {
  return {conformance_kernel<global_add>("atom.global.add.f32"),
          conformance_kernel<shared_add>("atom.shared.add.f32"),
          conformance_kernel<add_pair>("atom.global.add.noftz.bf16x2"),
          conformance_kernel<maximum>("atom.global.max.s32"),
          conformance_kernel<increment>("atom.global.inc.u32"),
          conformance_kernel<decrement>("atom.global.dec.u32"),
          conformance_kernel<compare_and_swap>("atom.global.cas.b64")};
}

}  // namespace lodestone::gpu_tests
