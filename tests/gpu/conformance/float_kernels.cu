// Arithmetic of floating-point numbers: rounding, .ftz, .sat, NaN.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

__device__ float add_rn(float a, float b) {
  float d;
  asm volatile("add.rn.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float add_rz_ftz(float a, float b) {
  float d;
  asm volatile("add.rz.ftz.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float add_rp_sat(float a, float b) {
  float d;
  asm volatile("add.rp.sat.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float sub_rm(float a, float b) {
  float d;
  asm volatile("sub.rm.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float mul_rp(float a, float b) {
  float d;
  asm volatile("mul.rp.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float mul_rn_ftz_sat(float a, float b) {
  float d;
  asm volatile("mul.rn.ftz.sat.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float fma_rn(float a, float b, float c) {
  float d;
  asm volatile("fma.rn.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c));
  return d;
}
__device__ float fma_rz_ftz(float a, float b, float c) {
  float d;
  asm volatile("fma.rz.ftz.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c));
  return d;
}
__device__ float fma_rm(float a, float b, float c) {
  float d;
  asm volatile("fma.rm.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c));
  return d;
}
__device__ float div_rn(float a, float b) {
  float d;
  asm volatile("div.rn.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float div_rz_ftz(float a, float b) {
  float d;
  asm volatile("div.rz.ftz.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float rcp_rp(float a) {
  float d;
  asm volatile("rcp.rp.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float sqrt_rm(float a) {
  float d;
  asm volatile("sqrt.rm.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float minimum(float a, float b) {
  float d;
  asm volatile("min.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float maximum_ftz_nan(float a, float b) {
  float d;
  asm volatile("max.ftz.NaN.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}

__device__ double add_rm_f64(double a, double b) {
  double d;
  asm volatile("add.rm.f64 %0, %1, %2;" : "=d"(d) : "d"(a), "d"(b));
  return d;
}
__device__ double mul_rz_f64(double a, double b) {
  double d;
  asm volatile("mul.rz.f64 %0, %1, %2;" : "=d"(d) : "d"(a), "d"(b));
  return d;
}
__device__ double fma_rn_f64(double a, double b, double c) {
  double d;
  asm volatile("fma.rn.f64 %0, %1, %2, %3;" : "=d"(d) : "d"(a), "d"(b), "d"(c));
  return d;
}
__device__ double div_rp_f64(double a, double b) {
  double d;
  asm volatile("div.rp.f64 %0, %1, %2;" : "=d"(d) : "d"(a), "d"(b));
  return d;
}

__device__ std::uint32_t add_f16x2(std::uint32_t a, std::uint32_t b) {
  std::uint32_t d;
  asm volatile("add.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ std::uint32_t fma_relu_bf16x2(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t d;
  asm volatile("fma.rn.relu.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

}  // namespace

std::vector<ConformanceKernel> float_kernels() {
  return {conformance_kernel<add_rn>("add.rn.f32"),
          conformance_kernel<add_rz_ftz>("add.rz.ftz.f32"),
          conformance_kernel<add_rp_sat>("add.rp.sat.f32"),
          conformance_kernel<sub_rm>("sub.rm.f32"),
          conformance_kernel<mul_rp>("mul.rp.f32"),
          conformance_kernel<mul_rn_ftz_sat>("mul.rn.ftz.sat.f32"),
          conformance_kernel<fma_rn>("fma.rn.f32"),
          conformance_kernel<fma_rz_ftz>("fma.rz.ftz.f32"),
          conformance_kernel<fma_rm>("fma.rm.f32"),
          conformance_kernel<div_rn>("div.rn.f32"),
          conformance_kernel<div_rz_ftz>("div.rz.ftz.f32"),
          conformance_kernel<rcp_rp>("rcp.rp.f32"),
          conformance_kernel<sqrt_rm>("sqrt.rm.f32"),
          conformance_kernel<minimum>("min.f32"),
          conformance_kernel<maximum_ftz_nan>("max.ftz.NaN.f32"),
          conformance_kernel<add_rm_f64>("add.rm.f64"),
          conformance_kernel<mul_rz_f64>("mul.rz.f64"),
          conformance_kernel<fma_rn_f64>("fma.rn.f64"),
          conformance_kernel<div_rp_f64>("div.rp.f64"),
          conformance_kernel<add_f16x2>("add.rn.f16x2"),
          conformance_kernel<fma_relu_bf16x2>("fma.rn.relu.bf16x2")};
}

}  // namespace lodestone::gpu_tests
