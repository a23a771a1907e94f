// Conversions between formats: rounding, saturation, the order of pairs.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

__device__ std::uint16_t to_half(float a) {
  std::uint16_t d;
  asm volatile("cvt.rn.f16.f32 %0, %1;" : "=h"(d) : "f"(a));
  return d;
}
__device__ std::uint32_t to_half_pair(float a, float b) {
  std::uint32_t d;
  asm volatile("cvt.rz.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(a), "f"(b));
  return d;
}
__device__ std::uint32_t to_bfloat_pair(float a, float b) {
  std::uint32_t d;
  asm volatile("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(a), "f"(b));
  return d;
}
__device__ std::uint16_t to_bfloat_relu(float a) {
  std::uint16_t d;
  asm volatile("cvt.rz.relu.bf16.f32 %0, %1;" : "=h"(d) : "f"(a));
  return d;
}
__device__ std::uint32_t to_tensor_float(float a) {
  std::uint32_t d;
  asm volatile("cvt.rna.tf32.f32 %0, %1;" : "=r"(d) : "f"(a));
  return d;
}
__device__ std::uint16_t to_e4m3_pair(float a, float b) {
  std::uint16_t d;
  asm volatile("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(d) : "f"(a), "f"(b));
  return d;
}
__device__ std::uint16_t to_e5m2_pair(float a, float b) {
  std::uint16_t d;
  asm volatile("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(d) : "f"(a), "f"(b));
  return d;
}
__device__ std::uint32_t from_e4m3_pair(std::uint16_t a) {
  std::uint32_t d;
  asm volatile("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(d) : "h"(a));
  return d;
}
__device__ std::uint32_t from_e5m2_pair(std::uint16_t a) {
  std::uint32_t d;
  asm volatile("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(d) : "h"(a));
  return d;
}
__device__ float from_half(std::uint16_t a) {
  float d;
  asm volatile("cvt.f32.f16 %0, %1;" : "=f"(d) : "h"(a));
  return d;
}
__device__ int to_integer(float a) {
  int d;
  asm volatile("cvt.rni.s32.f32 %0, %1;" : "=r"(d) : "f"(a));
  return d;
}
__device__ std::uint32_t to_unsigned(float a) {
  std::uint32_t d;
  asm volatile("cvt.rzi.u32.f32 %0, %1;" : "=r"(d) : "f"(a));
  return d;
}
__device__ float to_whole(float a) {
  float d;
  asm volatile("cvt.rmi.f32.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float from_integer(int a) {
  float d;
  asm volatile("cvt.rn.f32.s32 %0, %1;" : "=f"(d) : "r"(a));
  return d;
}
__device__ float from_unsigned_long(std::uint64_t a) {
  float d;
  asm volatile("cvt.rp.f32.u64 %0, %1;" : "=f"(d) : "l"(a));
  return d;
}
__device__ float from_double(double a) {
  float d;
  asm volatile("cvt.rm.f32.f64 %0, %1;" : "=f"(d) : "d"(a));
  return d;
}
__device__ int to_byte(int a) {
  int d;
  asm volatile("cvt.sat.s8.s32 %0, %1;" : "=r"(d) : "r"(a));
  return d;
}

}  // namespace

std::vector<ConformanceKernel> conversion_kernels() {
  return {conformance_kernel<to_half>("cvt.rn.f16.f32"),
          conformance_kernel<to_half_pair>("cvt.rz.f16x2.f32"),
          conformance_kernel<to_bfloat_pair>("cvt.rn.bf16x2.f32"),
          conformance_kernel<to_bfloat_relu>("cvt.rz.relu.bf16.f32"),
          conformance_kernel<to_tensor_float>("cvt.rna.tf32.f32"),
          conformance_kernel<to_e4m3_pair>("cvt.rn.satfinite.e4m3x2.f32"),
          conformance_kernel<to_e5m2_pair>("cvt.rn.satfinite.e5m2x2.f32"),
          conformance_kernel<from_e4m3_pair>("cvt.rn.f16x2.e4m3x2"),
          conformance_kernel<from_e5m2_pair>("cvt.rn.f16x2.e5m2x2"),
          conformance_kernel<from_half>("cvt.f32.f16"),
          conformance_kernel<to_integer>("cvt.rni.s32.f32"),
          conformance_kernel<to_unsigned>("cvt.rzi.u32.f32"),
          conformance_kernel<to_whole>("cvt.rmi.f32.f32"),
          conformance_kernel<from_integer>("cvt.rn.f32.s32"),
          conformance_kernel<from_unsigned_long>("cvt.rp.f32.u64"),
          conformance_kernel<from_double>("cvt.rm.f32.f64"),
          conformance_kernel<to_byte>("cvt.sat.s8.s32")};
}

}  // namespace lodestone::gpu_tests
