// The terms of every query that the backward passes of attention use over and over: its log-sum in
// base 2, and the sum of dy * y over the head. Eight lanes have a query, a block 128 queries of one
// head of one cell. Reads dy and y once, writes 8 bytes per query and head.
#include "kernels/cuda/attention_item.cuh"
#include "kernels/cuda/attention_passes.h"

namespace lodestone::kernels {

namespace {

constexpr int kThreads = 128, kLanes = 8;
constexpr float kLog2E = 1.44269504088896341f;

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    attention_terms(const __grid_constant__ AttentionBackwardArgs a) {
  using C = Chunk<T, kWidth>;
  const auto terms_of_item = static_cast<int>(query_terms_of_item(a.layout));
  const AttentionItem item = item_of_block(a.layout, terms_of_item, kQueryTermsTile);
  if (item.first >= item.queries) return;
  const auto dy = query_rows_of<const T>(a.dy, item, a.layout);
  const auto y = query_rows_of<const T>(a.y, item, a.layout);
  const auto* log_sums = static_cast<const float*>(a.log_sums);
  auto* terms = static_cast<QueryTerms*>(a.workspace) + std::int64_t{item.index} * terms_of_item;
  const int head_size = static_cast<int>(a.layout.head_size);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread / kLanes; i < kQueryTermsTile; i += kThreads / kLanes) {
    const int row = item.first + i;
    const bool exists = row < item.queries;
    float sum = 0;
    for (int d = thread % kLanes * kWidth; exists && d < head_size; d += kLanes * kWidth) {
      const C left = C::load(dy.row(row) + d), right = C::load(y.row(row) + d);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) sum += left[e] * right[e];
    }
#pragma unroll
    for (int distance = kLanes / 2; distance > 0; distance /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (thread % kLanes != 0) continue;
    terms[row] = {INFINITY, 0};
    if (exists)
      terms[row] = {log_sums[(item.first_query + row) * a.layout.heads + item.head] * kLog2E, sum};
  }
}

}  // namespace

void attention_query_terms(const AttentionBackwardArgs& args, CudaStream& stream) {
  const std::int64_t tiles = query_terms_of_item(args.layout) / kQueryTermsTile;
  if (args.layout.dtype == DType::kF32)
    launch_attention(attention_terms<float, 1>, args, tiles, kThreads, 0, stream);
  else if (takes_tensor_cores(args))
    launch_attention(attention_terms<__nv_bfloat16, 8>, args, tiles, kThreads, 0, stream);
  else
    launch_attention(attention_terms<__nv_bfloat16, 1>, args, tiles, kThreads, 0, stream);
}

}  // namespace lodestone::kernels
