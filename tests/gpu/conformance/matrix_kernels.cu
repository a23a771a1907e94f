// Matrices of a warp, and copies that go on beside the threads.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

// Sixteen bytes: a row of a matrix of 8 x 8 halves, or one word of each of four matrices.
struct alignas(16) Quad {
  std::uint32_t words[4];
};
struct Pair {
  std::uint32_t words[2];
};
struct Tile {
  float values[4];
};

__device__ std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// Lane i brings row i % 8 of matrix i / 8.
__device__ Quad load_matrices(Quad row) {
  __shared__ Quad rows[kWarpSize];
  rows[threadIdx.x] = row;
  __syncwarp();
  Quad d;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d.words[0]), "=r"(d.words[1]), "=r"(d.words[2]), "=r"(d.words[3])
               : "r"(shared_address(rows + threadIdx.x))
               : "memory");
  return d;
}
__device__ Quad load_transposed(Quad row) {
  __shared__ Quad rows[kWarpSize];
  rows[threadIdx.x] = row;
  __syncwarp();
  Quad d;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d.words[0]), "=r"(d.words[1]), "=r"(d.words[2]), "=r"(d.words[3])
               : "r"(shared_address(rows + threadIdx.x))
               : "memory");
  return d;
}
// Answers the row that lies there afterwards.
__device__ Quad store_matrices(Quad fragment) {
  __shared__ Quad rows[kWarpSize];
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                   shared_address(rows + threadIdx.x)),
               "r"(fragment.words[0]), "r"(fragment.words[1]), "r"(fragment.words[2]),
               "r"(fragment.words[3])
               : "memory");
  __syncwarp();
  return rows[threadIdx.x];
}

__device__ Tile multiply_bf16(Quad a, Pair b, Tile c) {
  Tile d;
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d.values[0]), "=f"(d.values[1]), "=f"(d.values[2]), "=f"(d.values[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]),
        "r"(b.words[1]), "f"(c.values[0]), "f"(c.values[1]), "f"(c.values[2]), "f"(c.values[3]));
  return d;
}
__device__ Tile multiply_tf32(Quad a, Pair b, Tile c) {
  Tile d;
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d.values[0]), "=f"(d.values[1]), "=f"(d.values[2]), "=f"(d.values[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b.words[0]),
        "r"(b.words[1]), "f"(c.values[0]), "f"(c.values[1]), "f"(c.values[2]), "f"(c.values[3]));
  return d;
}

__device__ Quad sources[kMostConformanceThreads];

// `size` of sixteen bytes; zeros after them.
__device__ Quad copy_asynchronously(Quad source, std::uint32_t size) {
  __shared__ Quad copies[kWarpSize];
  Quad* from = sources + blockIdx.x * kWarpSize + threadIdx.x;
  *from = source;
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(copies + threadIdx.x)),
      "l"(__cvta_generic_to_global(from)), "r"(size)
      : "memory");
  asm volatile("cp.async.wait_all;" ::: "memory");
  return copies[threadIdx.x];
}

}  // namespace

std::vector<ConformanceKernel> matrix_kernels() {
  return {conformance_kernel<load_matrices>("ldmatrix.m8n8.x4.b16"),
          conformance_kernel<load_transposed>("ldmatrix.m8n8.x4.trans.b16"),
          conformance_kernel<store_matrices>("stmatrix.m8n8.x4.b16"),
          conformance_kernel<multiply_bf16>("mma.m16n8k16.f32.bf16.bf16.f32 of integers"),
          conformance_kernel<multiply_bf16>("mma.m16n8k16.f32.bf16.bf16.f32"),
          conformance_kernel<multiply_tf32>("mma.m16n8k8.f32.tf32.tf32.f32 of integers"),
          conformance_kernel<multiply_tf32>("mma.m16n8k8.f32.tf32.tf32.f32"),
          conformance_kernel<copy_asynchronously>("cp.async.cg.shared.global")};
}

}  // namespace lodestone::gpu_tests
