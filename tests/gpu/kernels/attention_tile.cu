// Attention of one head of 64, forward: 64 queries a block, tiles of 64 keys in two buffers, four
// warps of 16 queries each, online softmax in base 2. Rows of 128 bytes; 16-byte chunk c of row r
// lies at c ^ (r % 8).
#include <cuda_runtime.h>

#include "tests/gpu/kernels/tensor_core.cuh"
#include "tests/gpu/kernels/tile_kernels.h"

namespace lodestone::gpu_tests {
namespace {

constexpr int kTile = 64;
constexpr int kThreads = 128;

template <TileBug kBug>
__device__ __forceinline__ int place(int row, int chunk) {
  return row * 128 + (kBug == TileBug::kPlainLayout ? chunk : chunk ^ (row & 7)) * 16;
}

template <TileBug kBug>
__device__ __forceinline__ void copy_tile(const std::uint16_t* to, const std::uint16_t* from,
                                          int first_row, int length) {
  const std::uint32_t base = shared_address(to);
  for (int i = static_cast<int>(threadIdx.x); i < kTile * 8; i += kThreads) {
    const int row = i / 8;
    const int chunk = i % 8;
    const bool exists = kBug == TileBug::kReadsPastTheEnd || first_row + row < length;
    copy_async(base + place<kBug>(row, chunk),
               from + (exists ? first_row + row : 0) * kTile + chunk * 8, exists);
  }
}

struct Softmax {
  float most[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
};

__device__ __forceinline__ float over_row(float value, bool is_sum) {
  for (int distance = 1; distance <= 2; distance *= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, value, distance);
    value = is_sum ? value + other : fmaxf(value, other);
  }
  return value;
}

// Scores become probabilities up to the running sum; the output so far is scaled to the new
// maximum.
__device__ __forceinline__ void update(Softmax& softmax, float (&scores)[8][4],
                                       float (&output)[8][4]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = softmax.most[half];
#pragma unroll
    for (int n = 0; n < 8; ++n)
      most = fmaxf(most, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
    most = over_row(most, false);
    const float factor = exp2f(softmax.most[half] - most);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = half * 2; i < half * 2 + 2; ++i) {
        scores[n][i] = exp2f(scores[n][i] - most);
        sum += scores[n][i];
        output[n][i] *= factor;
      }
    softmax.sum[half] = softmax.sum[half] * factor + sum;
    softmax.most[half] = most;
  }
}

template <TileBug kBug>
__device__ __forceinline__ void scores_of(float (&scores)[8][4],
                                          const std::uint32_t (&queries)[4][4],
                                          std::uint32_t keys) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      std::uint32_t words[4];
      load_matrices<4, false>(words, keys + place<kBug>(n * 16 + (lane & 7) + (lane >> 4) * 8,
                                                        k * 2 + (lane >> 3 & 1)));
      multiply_bf16(scores[n * 2], queries[k], words[0], words[1]);
      multiply_bf16(scores[n * 2 + 1], queries[k], words[2], words[3]);
    }
}

template <TileBug kBug>
__device__ __forceinline__ void add_values(float (&output)[8][4], const float (&scores)[8][4],
                                           std::uint32_t values) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto pack = [](float low, float high) {
    return kBug == TileBug::kSwappedHalves ? pack_bf16(high, low) : pack_bf16(low, high);
  };
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    std::uint32_t a[4] = {pack(scores[2 * k][0], scores[2 * k][1]),
                          pack(scores[2 * k][2], scores[2 * k][3]),
                          pack(scores[2 * k + 1][0], scores[2 * k + 1][1]),
                          pack(scores[2 * k + 1][2], scores[2 * k + 1][3])};
    if (kBug == TileBug::kSwappedFragments) {
      const std::uint32_t first = a[1];
      a[1] = a[2];
      a[2] = first;
    }
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      std::uint32_t words[4];
      load_matrices<4, true>(words,
                             values + place<kBug>(k * 16 + (lane & 15), n * 2 + (lane >> 4)));
      multiply_bf16(output[n * 2], a, words[0], words[1]);
      multiply_bf16(output[n * 2 + 1], a, words[2], words[3]);
    }
  }
}

__device__ __forceinline__ void scale_and_mask(float (&scores)[8][4], int first_key, int length,
                                               float scale) {
#pragma unroll
  for (int n = 0; n < 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int key = first_key + n * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + (i & 1);
      scores[n][i] = key < length ? scores[n][i] * scale : -INFINITY;
    }
}

__device__ __forceinline__ void write_output(std::uint16_t* output, const float (&sums)[8][4],
                                             const Softmax& softmax, int first_row, int length) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float factor = 1 / over_row(softmax.sum[half], true);
    const int row = first_row + lane / 4 + half * 8;
    if (row >= length) continue;
#pragma unroll
    for (int n = 0; n < 8; ++n)
      *reinterpret_cast<std::uint32_t*>(output + row * kTile + n * 8 + lane % 4 * 2) =
          pack_bf16(sums[n][half * 2] * factor, sums[n][half * 2 + 1] * factor);
  }
}

template <TileBug kBug>
__device__ __forceinline__ void wait_for_tile(bool another_is_coming) {
  if (kBug != TileBug::kNoWait) {
    if (another_is_coming)
      wait_copies<1>();
    else
      wait_copies<0>();
  }
  if (kBug != TileBug::kNoBarrierAfterWait) __syncthreads();
}

template <TileBug kBug>
__global__ void __launch_bounds__(kThreads)
    attention_kernel(const __grid_constant__ AttentionArgs args) {
  __shared__ __align__(128) std::uint16_t queries[kTile * kTile];
  __shared__ __align__(128) std::uint16_t keys[2][kTile * kTile];
  __shared__ __align__(128) std::uint16_t values[2][kTile * kTile];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first_query = static_cast<int>(blockIdx.x) * kTile;
  const int head = static_cast<int>(blockIdx.y) * args.length * kTile;
  const int tiles = (args.length + kTile - 1) / kTile;
  copy_tile<kBug>(queries, args.queries + head, first_query, args.length);
  copy_tile<kBug>(keys[0], args.keys + head, 0, args.length);
  copy_tile<kBug>(values[0], args.values + head, 0, args.length);
  commit_copies();
  std::uint32_t query_words[4][4];
  float output[8][4] = {};
  Softmax softmax;
  for (int tile = 0; tile < tiles; ++tile) {
    const int buffer = tile & 1;
    if (tile + 1 < tiles) {
      copy_tile<kBug>(keys[buffer ^ 1], args.keys + head, (tile + 1) * kTile, args.length);
      copy_tile<kBug>(values[buffer ^ 1], args.values + head, (tile + 1) * kTile, args.length);
      commit_copies();
    }
    wait_for_tile<kBug>(tile + 1 < tiles);
    if (tile == 0)
      for (int k = 0; k < 4; ++k)
        load_matrices<4, false>(
            query_words[k],
            shared_address(queries) + place<kBug>(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
    float scores[8][4] = {};
    scores_of<kBug>(scores, query_words, shared_address(keys[buffer]));
    scale_and_mask(scores, tile * kTile, args.length, args.scale * 1.44269504f);
    update(softmax, scores, output);
    const bool goes_past = kBug == TileBug::kPastTheTile && tile == 1;
    add_values<kBug>(output, scores, shared_address(values[buffer]) + (goes_past ? 128 : 0));
    if (kBug == TileBug::kNoBarrierBeforeReuse) continue;
    if (kBug != TileBug::kWarpSkipsBarrier || warp != 3 || tile != 0) __syncthreads();
  }
  write_output(args.output + head, output, softmax, first_query + warp * 16, args.length);
}

template <TileBug kBug>
cudaError_t launch(const AttentionArgs& args) {
  const dim3 grid(static_cast<unsigned>((args.length + kTile - 1) / kTile),
                  static_cast<unsigned>(args.heads));
  attention_kernel<kBug><<<grid, kThreads>>>(args);
  return cudaGetLastError();
}

}  // namespace

cudaError_t attention(TileBug bug, const AttentionArgs& args) {
  switch (bug) {
    case TileBug::kNone:
      return launch<TileBug::kNone>(args);
    case TileBug::kNoWait:
      return launch<TileBug::kNoWait>(args);
    case TileBug::kNoBarrierAfterWait:
      return launch<TileBug::kNoBarrierAfterWait>(args);
    case TileBug::kNoBarrierBeforeReuse:
      return launch<TileBug::kNoBarrierBeforeReuse>(args);
    case TileBug::kSwappedFragments:
      return launch<TileBug::kSwappedFragments>(args);
    case TileBug::kSwappedHalves:
      return launch<TileBug::kSwappedHalves>(args);
    case TileBug::kPastTheTile:
      return launch<TileBug::kPastTheTile>(args);
    case TileBug::kWarpSkipsBarrier:
      return launch<TileBug::kWarpSkipsBarrier>(args);
    case TileBug::kReadsPastTheEnd:
      return launch<TileBug::kReadsPastTheEnd>(args);
    case TileBug::kPlainLayout:
      return launch<TileBug::kPlainLayout>(args);
  }
  return cudaErrorInvalidValue;
}

}  // namespace lodestone::gpu_tests
