#include <cstdio>

#include "tests/gpu/kernels/everyday.h"

namespace lodestone::testing {

namespace {

constexpr int kWarp = 32;
constexpr unsigned kAll = 0xffffffffu;

__global__ void activations(float* y, const float* x, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const float v = x[i];
  const float gelu = 0.5f * v * (1 + tanhf(0.79788456f * (v + 0.044715f * v * v * v)));
  y[i] = gelu + erff(v) + expf(v) + logf(fabsf(v) + 1) + powf(fabsf(v), 0.3f);
}

__global__ void rotary(__nv_bfloat162* pairs, int first, int pair_count) {
  const int t = static_cast<int>(blockIdx.x), d = static_cast<int>(threadIdx.x);
  const float angle =
      static_cast<float>(first + t) *
      powf(10000.0f, -2.0f * static_cast<float>(d) / static_cast<float>(pair_count));
  float s, c;
  sincosf(angle, &s, &c);
  __nv_bfloat162& pair = pairs[t * pair_count + d];
  const float2 v = __bfloat1622float2(pair);
  pair = __floats2bfloat162_rn(v.x * c - v.y * s, v.x * s + v.y * c);
}

__global__ void embedding_backward(__nv_bfloat162* table, float4* table_f32, const int* tokens,
                                   const float4* dy, int quads) {
  const int t = static_cast<int>(blockIdx.x);
  const int row = tokens[t];
  for (int q = static_cast<int>(threadIdx.x); q < quads; q += static_cast<int>(blockDim.x)) {
    const float4 g = dy[t * quads + q];
    atomicAdd(&table[(row * quads + q) * 2], __floats2bfloat162_rn(g.x, g.y));
    atomicAdd(&table[(row * quads + q) * 2 + 1], __floats2bfloat162_rn(g.z, g.w));
    atomicAdd(&table_f32[row * quads + q], g);
  }
}

// A running maximum and the sum of exponentials relative to it.
struct LogSum {
  float maximum = -INFINITY;
  float sum = 0;
  __device__ void add(float other_maximum, float other_sum) {
    const float larger = fmaxf(maximum, other_maximum);
    sum = sum * __expf(maximum - larger) + other_sum * __expf(other_maximum - larger);
    maximum = larger;
  }
};

__global__ void cross_entropy(float* loss, float* gradient, const float* logits, const int* targets,
                              int columns) {
  __shared__ float log_sum;
  const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.x);
  const float* x = logits + static_cast<std::int64_t>(row) * columns;
  LogSum total;
  for (int i = lane; i < columns; i += kWarp) total.add(x[i], 1);
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const float maximum = __shfl_xor_sync(kAll, total.maximum, offset);
    const float sum = __shfl_xor_sync(kAll, total.sum, offset);
    if (maximum != -INFINITY) total.add(maximum, sum);
  }
  if (lane == 0) log_sum = total.maximum + __logf(total.sum);
  __syncthreads();
  const int target = targets[row];
  if (lane == 0) loss[row] = log_sum - x[target];
  float* dx = gradient + static_cast<std::int64_t>(row) * columns;
  for (int i = lane; i < columns; i += kWarp) {
    dx[i] = __expf(x[i] - log_sum) - (i == target ? 1.0f : 0.0f);
  }
}

__global__ void philox(std::uint32_t* words, std::uint64_t seed, int count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= static_cast<unsigned>(count)) return;
  std::uint32_t counter[4] = {i, 0, 0, 0};
  std::uint32_t key[2] = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(0xD2511F53u, counter[0]), low0 = 0xD2511F53u * counter[0];
    const std::uint32_t high1 = __umulhi(0xCD9E8D57u, counter[2]), low1 = 0xCD9E8D57u * counter[2];
    counter[0] = high1 ^ counter[1] ^ key[0];
    counter[1] = low1;
    counter[2] = high0 ^ counter[3] ^ key[1];
    counter[3] = low0;
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  words[i] = counter[0] ^ counter[1] ^ counter[2] ^ counter[3];
}

__global__ void gradient_norm(double* norm, const float* x, std::int64_t count,
                              unsigned* finished) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  double sum = 0;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    sum += static_cast<double>(x[i]) * x[i];
  }
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    sum += __shfl_down_sync(kAll, sum, offset);
  }
  if (threadIdx.x != 0) return;
  atomicAdd(norm, sum);
  __threadfence();
  if (atomicInc(finished, gridDim.x - 1) != gridDim.x - 1) return;
  __threadfence();
  *norm = sqrt(*norm);
}

__global__ void local_lookup(int* values) {
  if (*values > 3) printf("value %d of %s\n", *values, "local_lookup");
  int copy[8];
  for (int i = 0; i < 8; ++i) copy[i] = values[i];
  values[9] = copy[*values & 7];
}

__global__ void fp8(__nv_fp8_e4m3* y, const float* x) {
  y[threadIdx.x] = __nv_fp8_e4m3(x[threadIdx.x]);
}

unsigned blocks_of(std::int64_t count, int threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

}  // namespace

void run_activations(float* y, const float* x, int count) {
  activations<<<blocks_of(count, 128), 128>>>(y, x, count);
}

void run_rotary(__nv_bfloat162* pairs, int first, int positions, int pair_count) {
  rotary<<<static_cast<unsigned>(positions), static_cast<unsigned>(pair_count)>>>(pairs, first,
                                                                                  pair_count);
}

void run_embedding_backward(__nv_bfloat16* table, float* table_f32, const int* tokens,
                            const float* dy, int token_count, int columns) {
  embedding_backward<<<static_cast<unsigned>(token_count), 64>>>(
      reinterpret_cast<__nv_bfloat162*>(table), reinterpret_cast<float4*>(table_f32), tokens,
      reinterpret_cast<const float4*>(dy), columns / 4);
}

void run_cross_entropy(float* loss, float* gradient, const float* logits, const int* targets,
                       int rows, int columns) {
  cross_entropy<<<static_cast<unsigned>(rows), kWarp>>>(loss, gradient, logits, targets, columns);
}

void run_philox(std::uint32_t* words, std::uint64_t seed, int count) {
  philox<<<blocks_of(count, 64), 64>>>(words, seed, count);
}

void run_gradient_norm(double* norm, const float* x, std::int64_t count, unsigned* finished) {
  gradient_norm<<<4, kWarp>>>(norm, x, count, finished);
}

void run_local_lookup(int* values) {
  local_lookup<<<1, 1>>>(values);
}

void run_fp8(__nv_fp8_e4m3* y, const float* x, int count) {
  fp8<<<1, static_cast<unsigned>(count)>>>(y, x);
}

}  // namespace lodestone::testing
