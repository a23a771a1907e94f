// Attention without tensor cores, the same passes: of f32, for tests and for runs in f32, and of
// what the bf16 kernels do not take, other head sizes and rows not aligned to 16 bytes; heads of up
// to 128 columns, sums in f32. A block has 32 queries (for the gradients of keys and values: 32
// keys) of one head of one cell, and the cell's other rows pass by in tiles of 32. Of the 32 x 32
// weights a thread has four neighbouring keys of two queries, eight threads have a query's; of 32
// rows of results, two rows and every eighth column. Weights pass through shared memory, where rows
// are an odd number of elements apart, so that eight of them begin in different banks.
#include "kernels/cuda/attention_item.cuh"
#include "kernels/cuda/attention_passes.h"
#include "kernels/cuda/visit.h"

namespace lodestone::kernels {

namespace {

constexpr int kTile = 32, kThreads = 128;
constexpr int kLanes = 8;  // threads that share rows
constexpr int kRows = kTile / (kThreads / kLanes), kKeys = kTile / kLanes;  // of a thread
constexpr int kMostColumns = 128 / kLanes;                                  // of a thread
constexpr int kWeightStride = kTile + 1;
constexpr float kLog2E = 1.44269504088896341f;

__device__ __forceinline__ int thread_row() {
  return static_cast<int>(threadIdx.x) / kLanes * kRows;
}
__device__ __forceinline__ int thread_lane() {
  return static_cast<int>(threadIdx.x) % kLanes;
}

// 32 rows of a head in shared memory.
struct RowBlock {
  float* data;
  int head_size;
  __device__ __forceinline__ float* row(int i) const { return data + i * (head_size | 1); }
};
constexpr int floats_of_rows(int head_size) {
  return kTile * (head_size | 1);
}
constexpr int kFloatsOfWeights = kTile * kWeightStride;

// Rows of the block in shared memory, one after the other; then weights, one or two tiles of them.
struct Tiles {
  int head_size;
  __device__ __forceinline__ RowBlock rows(int index) const {
    return {memory() + index * floats_of_rows(head_size), head_size};
  }
  __device__ __forceinline__ float* weights(int row_blocks, int index) const {
    return rows(row_blocks).data + index * kFloatsOfWeights;
  }
  __device__ static __forceinline__ float* memory() {
    extern __shared__ float attention_memory_of_plain[];
    return attention_memory_of_plain;
  }
};
int bytes_of_tiles(const AttentionLayout& layout, int row_blocks, int weights) {
  return 4 * (row_blocks * floats_of_rows(static_cast<int>(layout.head_size)) +
              weights * kFloatsOfWeights);
}

// Copies 32 rows, of which `count` exist; the others become zeros.
template <class T>
__device__ void copy_rows(RowBlock to, HeadRows<const T> from, int count) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int r = static_cast<int>(threadIdx.x) / kWarpSize; r < kTile; r += kThreads / kWarpSize)
    for (int d = lane; d < to.head_size; d += kWarpSize)
      to.row(r)[d] = r < count ? static_cast<float>(from.row(r)[d]) : 0.0f;
}

// What a thread has of the products of 32 queries (or their dy) and 32 keys (or values).
using Products = float[kRows][kKeys];
__device__ void multiply_rows(RowBlock left, RowBlock right, Products& products) {
  for (int d = 0; d < left.head_size; ++d) {
    float a[kRows], b[kKeys];
#pragma unroll
    for (int r = 0; r < kRows; ++r) a[r] = left.row(thread_row() + r)[d];
#pragma unroll
    for (int k = 0; k < kKeys; ++k) b[k] = right.row(thread_lane() * kKeys + k)[d];
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int k = 0; k < kKeys; ++k) products[r][k] += a[r] * b[k];
  }
}

__device__ void put_weights(float* to, const Products& weights) {
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int k = 0; k < kKeys; ++k)
      to[(thread_row() + r) * kWeightStride + thread_lane() * kKeys + k] = weights[r][k];
}

// What a thread has of 32 rows: column thread_lane() + 8 c of two rows.
using Results = float[kRows][kMostColumns];

// results += weights rows; weight (i, j) lies at i * row_stride + j * inner_stride.
__device__ void add_weighted_rows(Results& results, const float* weights, int row_stride,
                                  int inner_stride, RowBlock rows) {
  for (int j = 0; j < kTile; ++j) {
    float weight[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      weight[r] = weights[(thread_row() + r) * row_stride + j * inner_stride];
#pragma unroll
    for (int c = 0; c < kMostColumns; ++c) {
      const int d = thread_lane() + c * kLanes;
      if (d >= rows.head_size) break;
#pragma unroll
      for (int r = 0; r < kRows; ++r) results[r][c] += weight[r] * rows.row(j)[d];
    }
  }
}

// Writes factor * results, or adds them to what is there, to the rows below `count`.
template <class T>
__device__ void write_results(const Results& results, float factor, HeadRows<T> to, int head_size,
                              int count, bool accumulate) {
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int c = 0; c < kMostColumns; ++c) {
      const int row = thread_row() + r, d = thread_lane() + c * kLanes;
      if (row >= count || d >= head_size) continue;
      const float value = factor * results[r][c];
      T& element = to.row(row)[d];
      element = static_cast<T>(accumulate ? static_cast<float>(element) + value : value);
    }
}

// Over the eight threads that have a row.
__device__ float most_of_row(float value) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, distance));
  return value;
}
__device__ float sum_of_row(float value) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

// Bit k is set iff dropout takes the weight of the thread's key k of the tile from `first_key` on.
__device__ std::uint32_t dropped_bits(const AttentionDropout& dropout, const AttentionItem& item,
                                      int query, int first_key) {
  if (!dropout.enabled || query >= item.queries) return 0;
  return dropped_keys(dropout, dropout.row_keys[item.first_query + query],
                      first_key / kKeys + thread_lane(), item.head);
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    attention_forward_plain_tiles(const __grid_constant__ AttentionForwardArgs a) {
  const AttentionItem item = item_of_block(a.layout, a.layout.longest_queries, kTile);
  if (item.first >= item.queries) return;
  const Tiles tiles{static_cast<int>(a.layout.head_size)};
  const RowBlock queries = tiles.rows(0), keys = tiles.rows(1), values = tiles.rows(2);
  float* const weights = tiles.weights(3, 0);
  copy_rows(queries, rows_of<const T>(a.queries, item.first_query + item.first, item, a.layout),
            item.queries - item.first);
  const float scale = 1 / sqrtf(static_cast<float>(tiles.head_size));
  float most[kRows] = {-INFINITY, -INFINITY}, sum[kRows] = {};
  Results results = {};
  for (int key = 0; key < item.keys; key += kTile) {
    __syncthreads();
    copy_rows(keys, rows_of<const T>(a.keys, item.first_key + key, item, a.layout),
              item.keys - key);
    copy_rows(values, rows_of<const T>(a.values, item.first_key + key, item, a.layout),
              item.keys - key);
    __syncthreads();
    Products scores = {};
    multiply_rows(queries, keys, scores);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float highest = most[r];
#pragma unroll
      for (int k = 0; k < kKeys; ++k) {
        const bool exists = key + thread_lane() * kKeys + k < item.keys;
        scores[r][k] = exists ? scores[r][k] * scale : -INFINITY;
        highest = fmaxf(highest, scores[r][k]);
      }
      highest = most_of_row(highest);
      const float shrink = expf(most[r] - highest);
      most[r] = highest;
      sum[r] *= shrink;
#pragma unroll
      for (int c = 0; c < kMostColumns; ++c) results[r][c] *= shrink;
      const std::uint32_t dropped =
          dropped_bits(a.dropout, item, item.first + thread_row() + r, key);
#pragma unroll
      for (int k = 0; k < kKeys; ++k) {
        const float weight = expf(scores[r][k] - highest);
        sum[r] += weight;
        scores[r][k] = dropped >> k & 1 ? 0.0f : weight;
      }
    }
    put_weights(weights, scores);
    __syncwarp();
    add_weighted_rows(results, weights, kWeightStride, 1, values);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    sum[r] = sum_of_row(sum[r]);
#pragma unroll
    for (int c = 0; c < kMostColumns; ++c) results[r][c] /= sum[r];
    const int row = item.first + thread_row() + r;
    if (thread_lane() == 0 && row < item.queries)
      static_cast<float*>(a.log_sums)[(item.first_query + row) * a.layout.heads + item.head] =
          most[r] + logf(sum[r]);
  }
  write_results(results, a.dropout.enabled ? static_cast<float>(a.dropout.scale) : 1.0f,
                query_rows_of<T>(a.y, item, a.layout).from(item.first), tiles.head_size,
                item.queries - item.first, false);
}

// The four rows of both passes backwards, by their place in shared memory.
struct BackwardRows {
  RowBlock queries, dy, keys, values;
  __device__ explicit BackwardRows(const Tiles& tiles)
      : queries(tiles.rows(0)), dy(tiles.rows(1)), keys(tiles.rows(2)), values(tiles.rows(3)) {}
};

template <class T>
__device__ void copy_queries(const AttentionBackwardArgs& a, const AttentionItem& item, int first,
                             const BackwardRows& to) {
  copy_rows(to.queries, rows_of<const T>(a.queries, item.first_query + first, item, a.layout),
            item.queries - first);
  copy_rows(to.dy, query_rows_of<const T>(a.dy, item, a.layout).from(first), item.queries - first);
}
template <class T>
__device__ void copy_keys(const AttentionBackwardArgs& a, const AttentionItem& item, int first,
                          const BackwardRows& to) {
  copy_rows(to.keys, rows_of<const T>(a.keys, item.first_key + first, item, a.layout),
            item.keys - first);
  copy_rows(to.values, rows_of<const T>(a.values, item.first_key + first, item, a.layout),
            item.keys - first);
}

// Weights as dropout leaves them, and gradients of the scores, of the queries from `query` on and
// the keys from `key` on.
__device__ void score_gradients(const AttentionBackwardArgs& a, const AttentionItem& item,
                                const BackwardRows& rows, int query, int key, Products& weights,
                                Products& dscores) {
  multiply_rows(rows.queries, rows.keys, weights);
  multiply_rows(rows.dy, rows.values, dscores);
  const float scale = kLog2E / sqrtf(static_cast<float>(a.layout.head_size));
  const float kept = a.dropout.enabled ? static_cast<float>(a.dropout.scale) : 1.0f;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = query + thread_row() + r;
    const QueryTerms terms = static_cast<const QueryTerms*>(
        a.workspace)[item.index * query_terms_of_item(a.layout) + row];
    const std::uint32_t dropped = dropped_bits(a.dropout, item, row, key);
#pragma unroll
    for (int k = 0; k < kKeys; ++k) {
      const bool exists = key + thread_lane() * kKeys + k < item.keys;
      const float factor = dropped >> k & 1 ? 0.0f : kept;
      const float weight = exists ? exp2f(fmaf(weights[r][k], scale, -terms.log2_sum)) : 0.0f;
      weights[r][k] = weight * factor;
      dscores[r][k] = weight * (dscores[r][k] * factor - terms.dy_y);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    attention_queries_plain(const __grid_constant__ AttentionBackwardArgs a) {
  const AttentionItem item = item_of_block(a.layout, a.layout.longest_queries, kTile);
  if (item.first >= item.queries) return;
  const Tiles tiles{static_cast<int>(a.layout.head_size)};
  const BackwardRows rows(tiles);
  float* const shared_dscores = tiles.weights(4, 0);
  copy_queries<T>(a, item, item.first, rows);
  Results dqueries = {};
  for (int key = 0; key < item.keys; key += kTile) {
    __syncthreads();
    copy_keys<T>(a, item, key, rows);
    __syncthreads();
    Products weights = {}, dscores = {};
    score_gradients(a, item, rows, item.first, key, weights, dscores);
    put_weights(shared_dscores, dscores);
    __syncwarp();
    add_weighted_rows(dqueries, shared_dscores, kWeightStride, 1, rows.keys);
  }
  write_results(dqueries, 1 / sqrtf(static_cast<float>(tiles.head_size)),
                rows_of<T>(RowsOfHeads<void*>{a.dqueries.data, a.queries.stride},
                           item.first_query + item.first, item, a.layout),
                tiles.head_size, item.queries - item.first, a.dqueries.accumulate);
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    attention_keys_plain(const __grid_constant__ AttentionBackwardArgs a) {
  const AttentionItem item = item_of_block(a.layout, a.layout.longest, kTile);
  if (item.first >= item.keys) return;
  const Tiles tiles{static_cast<int>(a.layout.head_size)};
  const BackwardRows rows(tiles);
  float* const shared_weights = tiles.weights(4, 0);
  float* const shared_dscores = tiles.weights(4, 1);
  copy_keys<T>(a, item, item.first, rows);
  Results dkeys = {}, dvalues = {};
  for (int query = 0; query < item.queries; query += kTile) {
    __syncthreads();
    copy_queries<T>(a, item, query, rows);
    __syncthreads();
    Products weights = {}, dscores = {};
    score_gradients(a, item, rows, query, item.first, weights, dscores);
    put_weights(shared_weights, weights);
    put_weights(shared_dscores, dscores);
    __syncthreads();
    add_weighted_rows(dvalues, shared_weights, 1, kWeightStride, rows.dy);
    add_weighted_rows(dkeys, shared_dscores, 1, kWeightStride, rows.queries);
  }
  const auto write = [&](const Results& results, float factor, const Gradient& gradient,
                         std::int64_t stride) {
    write_results(results, factor,
                  rows_of<T>(RowsOfHeads<void*>{gradient.data, stride}, item.first_key + item.first,
                             item, a.layout),
                  tiles.head_size, item.keys - item.first, gradient.accumulate);
  };
  write(dkeys, 1 / sqrtf(static_cast<float>(tiles.head_size)), a.dkeys, a.keys.stride);
  write(dvalues, 1, a.dvalues, a.values.stride);
}

}  // namespace

void attention_forward_plain(const AttentionForwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(args.layout.dtype, [&]<class T>() {
    launch_attention(attention_forward_plain_tiles<T>, args,
                     tiles_of(args.layout.longest_queries, kTile), kThreads,
                     bytes_of_tiles(args.layout, 3, 1), stream);
  });
}

void attention_backward_keys_plain(const AttentionBackwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(args.layout.dtype, [&]<class T>() {
    launch_attention(attention_keys_plain<T>, args, tiles_of(args.layout.longest, kTile), kThreads,
                     bytes_of_tiles(args.layout, 4, 2), stream);
  });
}

void attention_backward_queries_plain(const AttentionBackwardArgs& args, CudaStream& stream) {
  visit_floating_cuda(args.layout.dtype, [&]<class T>() {
    launch_attention(attention_queries_plain<T>, args, tiles_of(args.layout.longest_queries, kTile),
                     kThreads, bytes_of_tiles(args.layout, 4, 1), stream);
  });
}

}  // namespace lodestone::kernels
