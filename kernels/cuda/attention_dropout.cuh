#pragma once
// Which of a warp's weights dropout takes. A block of four random words serves four keys of one
// query; lanes that share blocks share the work, and exchange bits.
#include "kernels/cuda/attention_tile.cuh"

namespace lodestone::kernels {

__device__ __forceinline__ std::int64_t row_key_of(const AttentionDropout& dropout,
                                                   const AttentionItem& item, int query) {
  return query < item.queries ? dropout.row_keys[item.first_query + query] : 0;
}

// Weights [queries, keys], from query `first` and key `first_key` on: element i of tile (m, n) is
// dropped iff bit 2 n + i % 2 of bits[m][i / 2] is set. Two lanes that are neighbours want halves
// of the same blocks; one does those of the even tiles, one those of the odd.
template <int kRowTiles, int kKeyTiles>
__device__ __forceinline__ void find_dropped(std::uint32_t (&bits)[kRowTiles][2],
                                             const AttentionDropout& dropout,
                                             const AttentionItem& item, int first, int first_key) {
  static_assert(kKeyTiles % 2 == 0 && kKeyTiles <= 16);
  const int lane = lane_index(), odd = lane % 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int64_t row_key = row_key_of(dropout, item, first + m * 16 + row_of(2 * half));
      std::uint32_t mine = 0, neighbours = 0;
#pragma unroll
      for (int n = 0; n < kKeyTiles; n += 2) {
        const int block = first_key / 4 + (n + odd) * 2 + lane % 4 / 2;
        const std::uint32_t words = dropped_keys(dropout, row_key, block, item.head);
        mine |= (odd ? words >> 2 : words & 3) << (2 * (n + odd));
        neighbours |= (odd ? words & 3 : words >> 2) << (2 * (n + odd));
      }
      bits[m][half] = mine | __shfl_xor_sync(0xffffffffu, neighbours, 1);
    }
}
__device__ __forceinline__ bool is_dropped(const std::uint32_t (&bits)[2], int n, int i) {
  return bits[i / 2] >> (2 * n + i % 2) & 1;
}

// Weights [keys, queries], from key `first_key` and query `first` on: element i of tile (m, n) is
// dropped iff bit 16 (n % 2) + 4 i of bits[m][n / 2] is set. The four keys of a block are those of
// four lanes; of the four blocks that these have in a tile each lane does one.
template <int kRowTiles, int kPairs>
__device__ __forceinline__ void find_dropped_transposed(std::uint32_t (&bits)[kRowTiles][kPairs],
                                                        const AttentionDropout& dropout,
                                                        const AttentionItem& item, int first_key,
                                                        int first) {
  const int lane = lane_index(), key = lane / 4 % 4;  // of its block
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair) {
      std::uint32_t found = 0;
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        // Element `key` of the four that this lane has in the tile tells which block it does.
        const int query = first + (2 * pair + n) * 8 + column_of(key);
        const int block = first_key / 4 + m * 4 + lane / 16 + key / 2 * 2;
        found |= dropped_keys(dropout, row_key_of(dropout, item, query), block, item.head)
                 << (16 * n + 4 * key);
      }
      found |= __shfl_xor_sync(0xffffffffu, found, 4);
      found |= __shfl_xor_sync(0xffffffffu, found, 8);
      bits[m][pair] = found >> key;
    }
}
template <int kPairs>
__device__ __forceinline__ bool is_dropped_transposed(const std::uint32_t (&bits)[kPairs], int n,
                                                      int i) {
  return bits[n / 2] >> (16 * (n % 2) + 4 * i) & 1;
}

}  // namespace lodestone::kernels
