// Functions that the device approximates.
#include "tests/gpu/conformance/kernel.cuh"

namespace lodestone::gpu_tests {

namespace {

__device__ float power_of_two(float a) {
  float d;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float logarithm(float a) {
  float d;
  asm volatile("lg2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float reciprocal(float a) {
  float d;
  asm volatile("rcp.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float square_root(float a) {
  float d;
  asm volatile("sqrt.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float reciprocal_root(float a) {
  float d;
  asm volatile("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float sine(float a) {
  float d;
  asm volatile("sin.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float cosine(float a) {
  float d;
  asm volatile("cos.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float hyperbolic_tangent(float a) {
  float d;
  asm volatile("tanh.approx.f32 %0, %1;" : "=f"(d) : "f"(a));
  return d;
}
__device__ float quotient(float a, float b) {
  float d;
  asm volatile("div.approx.ftz.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}
__device__ float full_quotient(float a, float b) {
  float d;
  asm volatile("div.full.ftz.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b));
  return d;
}

}  // namespace

std::vector<ConformanceKernel> approximation_kernels() {
  return {conformance_kernel<power_of_two>("ex2.approx.ftz.f32"),
          conformance_kernel<logarithm>("lg2.approx.ftz.f32"),
          conformance_kernel<reciprocal>("rcp.approx.ftz.f32"),
          conformance_kernel<square_root>("sqrt.approx.ftz.f32"),
          conformance_kernel<reciprocal_root>("rsqrt.approx.ftz.f32"),
          conformance_kernel<sine>("sin.approx.ftz.f32"),
          conformance_kernel<cosine>("cos.approx.ftz.f32"),
          conformance_kernel<hyperbolic_tangent>("tanh.approx.f32"),
          conformance_kernel<quotient>("div.approx.ftz.f32"),
          conformance_kernel<full_quotient>("div.full.ftz.f32")};
}

}  // namespace lodestone::gpu_tests
