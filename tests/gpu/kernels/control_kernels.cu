#include <cassert>

#include "tests/gpu/kernels/control_kernels.h"

namespace lodestone::testing {

namespace {

__constant__ float coefficients[4] = {1, 2, 3, 4};
__constant__ float scale = 1;
__device__ int counter = 7;
__device__ const char* const kTexts[2] = {"first", "second"};

__noinline__ __device__ float polynomial(float x) {
  float sum = 0;
  for (const float coefficient : coefficients) sum = sum * x + coefficient;
  return sum * scale;
}

__noinline__ __device__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__global__ void calls(float* out, const float* x, int count) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= count) return;
  out[i] = polynomial(x[i]) + static_cast<float>(fibonacci(i % 10));
}

__noinline__ __device__ Point change(Point point, int which) {
  point.values[which] += 100;
  point.scale *= 2;
  return point;
}

__global__ void structures(int* out, Point point) {
  const int i = static_cast<int>(threadIdx.x);
  const Point changed = change(point, i % 5);
  out[i] = changed.values[i % 5] + static_cast<int>(changed.scale);
}

__global__ void switches(int* out) {
  const int i = static_cast<int>(threadIdx.x);
  switch (i) {
    case 0:
      out[i] = 3;
      break;
    case 1:
      out[i] = out[i] * 5;
      break;
    case 2:
      atomicAdd(&out[i], 7);
      break;
    case 3:
      out[i] = out[i] ^ 21;
      break;
    case 4:
      out[i] = -out[i];
      break;
    case 5:
      out[i] = out[i] << 2;
      break;
    case 7:
      atomicMax(&out[i], 50);
      break;
    default:
      out[i] = -1;
      break;
  }
}

__global__ void assertion(const int* value) {
  assert(*value < 100);
}
__global__ void trap() {
  __trap();
}

__global__ void counting_barriers(int* out, int bound) {
  const bool below = static_cast<int>(threadIdx.x) < bound;
  const int number = __syncthreads_count(below);
  const int all = __syncthreads_and(below);
  const int any = __syncthreads_or(below);
  out[threadIdx.x] = number * 4 + (all != 0 ? 2 : 0) + (any != 0 ? 1 : 0);
}

__global__ void texts(int* out, int text, int letter) {
  *out = kTexts[text][letter];
}
__global__ void count(int value) {
  atomicAdd(&counter, value);
}

}  // namespace

void run_calls(float* out, const float* x, int count) {
  calls<<<1, 64>>>(out, x, count);
}
void run_structures(int* out, Point point, int count) {
  structures<<<1, static_cast<unsigned>(count)>>>(out, point);
}
void run_switch(int* out, int count) {
  switches<<<1, static_cast<unsigned>(count)>>>(out);
}
void run_assertion(const int* value) {
  assertion<<<1, 1>>>(value);
}
void run_trap() {
  trap<<<1, 1>>>();
}
void run_counting_barriers(int* out, int bound) {
  counting_barriers<<<1, 96>>>(out, bound);
}
void run_texts(int* out, int text, int letter) {
  texts<<<1, 1>>>(out, text, letter);
}
void run_counter(int value) {
  count<<<2, 32>>>(value);
}

int read_counter() {
  int value = 0;
  cudaMemcpyFromSymbol(&value, counter, sizeof value);
  return value;
}
void write_scale(float value) {
  cudaMemcpyToSymbol(scale, &value, sizeof value);
}

}  // namespace lodestone::testing
