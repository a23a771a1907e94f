#pragma once
// What the bf16 attention kernels are made of. A block is four warps. Rows of one head lie in
// shared memory, each warp has 16 or 32 of the rows of one tile, and multiplies them by all the
// rows of another: scores [its rows, rows of the tile] from the products of rows, then results [its
// rows, head_size] from rows weighted by what became of the scores. The places of a product's sums
// among the lanes are those of the next product's left operand, so weights never leave the
// registers.
#include "kernels/cuda/attention_item.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace lodestone::kernels {

using Bf16 = __nv_bfloat16;

constexpr int kAttentionWarps = 4;
constexpr int kAttentionThreads = kAttentionWarps * kWarpSize;

__device__ __forceinline__ int lane_index() {
  return static_cast<int>(threadIdx.x) % kWarpSize;
}
__device__ __forceinline__ int warp_index() {
  return static_cast<int>(threadIdx.x) / kWarpSize;
}

// ---------------------------------------------------------------------------------- shared memory

// Rows in shared memory, a head's bf16 each. Chunk c (16 bytes) of row r lies where chunk c ^ (r /
// k) would, k being the rows that share 128 bytes: so chunk c of eight rows is in eight different
// places of the 128 bytes that the banks serve at once.
template <int kHeadSize>
struct RowTile {
  static constexpr int kChunks = kHeadSize / 8;
  static constexpr int kRowBytes = kHeadSize * 2;
  std::uint32_t address;  // a multiple of kRowBytes

  __device__ __forceinline__ std::uint32_t chunk(int row, int c) const {
    constexpr int kRowsTogether = kHeadSize < 64 ? 64 / kHeadSize : 1;
    constexpr int kPlaces = kChunks < 8 ? kChunks : 8;
    return address +
           static_cast<std::uint32_t>(row * kRowBytes + (c ^ (row / kRowsTogether % kPlaces)) * 16);
  }
  // The address of a chunk to `move` from. The empty statement hides what it is made of: else the
  // compiler works out every move before the loop that it is in, and has no registers left.
  __device__ __forceinline__ std::uint32_t anchor(int row, int c) const {
    std::uint32_t result = chunk(row, c);
    asm volatile("" : "+r"(result));
    return result;
  }
  // From the address of chunk c of a row, c < 2, to that of chunk c + `chunks` of the row that is
  // `rows` further, an even number and a multiple of 8: two instructions instead of chunk's many.
  __device__ __forceinline__ static std::uint32_t move(std::uint32_t from, int rows, int chunks) {
    return (from ^ static_cast<std::uint32_t>(chunks * 16)) +
           static_cast<std::uint32_t>(rows * kRowBytes);
  }
  // `row` is a multiple of 8.
  __device__ __forceinline__ RowTile from(int row) const {
    return {address + static_cast<std::uint32_t>(row * kRowBytes)};
  }
};

// Deals out the block's dynamic shared memory. The assembler drops the statement in it; the
// interpreter of tests/gpu learns from it where a buffer ends.
class SharedMemory {
 public:
  __device__ __forceinline__ SharedMemory() {
    extern __shared__ __align__(256) unsigned char attention_memory[];
    next_ = static_cast<std::uint32_t>(__cvta_generic_to_shared(attention_memory));
  }
  __device__ __forceinline__ std::uint32_t take(int bytes) {
    const std::uint32_t address = next_;
    next_ += static_cast<std::uint32_t>(bytes);
    asm volatile("{ .reg .b64 emu_object; mov.b64 emu_object, {%0, %1}; }" ::"r"(address),
                 "r"(bytes));
    return address;
  }
  template <int kHeadSize>
  __device__ __forceinline__ RowTile<kHeadSize> take_rows(int rows) {
    return {take(rows * RowTile<kHeadSize>::kRowBytes)};
  }

 private:
  std::uint32_t next_;
};

// Two buffers of so many bytes, in turn.
struct TwoBuffers {
  std::uint32_t first;
  int bytes;
  __device__ __forceinline__ TwoBuffers(SharedMemory& memory, int bytes_each)
      : first(memory.take(bytes_each)), bytes(bytes_each) {
    memory.take(bytes_each);
  }
  __device__ __forceinline__ std::uint32_t of(int turn) const {
    return first + static_cast<std::uint32_t>(turn % 2 * bytes);
  }
};

// The same of kRows rows.
template <int kHeadSize, int kRows>
struct TwoTiles {
  TwoBuffers buffers;
  __device__ __forceinline__ explicit TwoTiles(SharedMemory& memory)
      : buffers(memory, kRows * RowTile<kHeadSize>::kRowBytes) {}
  __device__ __forceinline__ RowTile<kHeadSize> of(int turn) const { return {buffers.of(turn)}; }
};

// The block begins to copy kRows rows, of which `count` exist; the others become zeros.
template <int kRows, int kHeadSize>
__device__ __forceinline__ void copy_rows(RowTile<kHeadSize> to, HeadRows<const Bf16> from,
                                          int count) {
  constexpr int kChunks = RowTile<kHeadSize>::kChunks;
  constexpr int kRowsAtOnce = kAttentionThreads / kChunks;
  static_assert(kRows % kRowsAtOnce == 0);
  const int thread = static_cast<int>(threadIdx.x), chunk = thread % kChunks;
  const Bf16* source = from.row(thread / kChunks) + chunk * 8;
#pragma unroll
  for (int first = 0; first < kRows; first += kRowsAtOnce) {
    const int row = first + thread / kChunks;
    copy_async(to.chunk(row, chunk), source, row < count);
    source += kRowsAtOnce * from.stride;
  }
}

// --------------------------------------------------------------------------------------- registers

// A warp's sums [16 kRowTiles, kColumns]. Element i of tile (m, n) is that of row 16 m + row_of(i)
// and column 8 n + column_of(i).
template <int kRowTiles, int kColumns>
using Sums = float[kRowTiles][kColumns / 8][4];
__device__ __forceinline__ int row_of(int i) {
  return lane_index() / 4 + i / 2 * 8;
}
__device__ __forceinline__ int column_of(int i) {
  return lane_index() % 4 * 2 + i % 2;
}

// The same in bf16, as the left operand of a product: pairs of tiles.
template <int kRowTiles, int kColumns>
using Weights = std::uint32_t[kRowTiles][kColumns / 16][4];

template <int kRowTiles, int kColumnTiles, int kPairs>
__device__ __forceinline__ void round_to(std::uint32_t (&weights)[kRowTiles][kPairs][4],
                                         const float (&sums)[kRowTiles][kColumnTiles][4]) {
  static_assert(kColumnTiles == 2 * kPairs);
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        weights[m][n / 2][n % 2 * 2 + half] =
            pack_bf16(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
}

template <int kRowTiles, int kColumnTiles>
__device__ __forceinline__ void multiply(float (&sums)[kRowTiles][kColumnTiles][4], float factor) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[m][n][i] *= factor;
}

// The products of rows: sums += left right^T, of `left` the warp's rows from `first` on and of
// `right` the rows that the sums have columns; those from `count` on may be left out.
template <int kRowTiles, int kColumnTiles, int kHeadSize>
__device__ __forceinline__ void add_row_products(float (&sums)[kRowTiles][kColumnTiles][4],
                                                 RowTile<kHeadSize> left, int first,
                                                 RowTile<kHeadSize> right, int count) {
  using Tile = RowTile<kHeadSize>;
  const int lane = lane_index();
  const std::uint32_t left_at = left.anchor(first + lane % 16, lane / 16);
  const std::uint32_t right_at = right.anchor(lane % 8 + lane / 16 * 8, lane / 8 % 2);
#pragma unroll 2  // all of them would begin their loads at once, and spill
  for (int k = 0; k < kHeadSize / 16; ++k) {
    std::uint32_t a[kRowTiles][4];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) load_matrices(a[m], Tile::move(left_at, m * 16, 2 * k));
#pragma unroll
    for (int n = 0; n < kColumnTiles; n += 2) {
      if (n * 8 >= count) break;
      std::uint32_t b[4];
      load_matrices(b, Tile::move(right_at, n * 8, 2 * k));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        multiply_add(sums[m][n], a[m], b[0], b[1]);
        multiply_add(sums[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

// Rows weighted: sums += weights rows. The weights from row `count` on are zero.
template <int kRowTiles, int kPairs, int kColumnTiles, int kHeadSize>
__device__ __forceinline__ void add_weighted_rows(
    float (&sums)[kRowTiles][kColumnTiles][4], const std::uint32_t (&weights)[kRowTiles][kPairs][4],
    RowTile<kHeadSize> rows, int count) {
  static_assert(kColumnTiles * 8 == kHeadSize);
  const int lane = lane_index();
  const std::uint32_t rows_at = rows.anchor(lane % 16, lane / 16);
#pragma unroll
  for (int k = 0; k < kPairs; ++k) {
    if (k * 16 >= count) break;
#pragma unroll
    for (int n = 0; n < kColumnTiles; n += 2) {
      std::uint32_t b[4];
      load_transposed(b, RowTile<kHeadSize>::move(rows_at, k * 16, n));
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        multiply_add(sums[m][n], weights[m][k], b[0], b[1]);
        multiply_add(sums[m][n + 1], weights[m][k], b[2], b[3]);
      }
    }
  }
}

// --------------------------------------------------------------------------------------- results

// Writes a warp's sums, or adds them to what is there, to rows `first` on of which those below
// `count` exist. They are put in order in the warp's own rows of `stage`, which it is done with.
template <int kRowTiles, int kColumnTiles, int kHeadSize>
__device__ __forceinline__ void write_rows(const float (&sums)[kRowTiles][kColumnTiles][4],
                                           RowTile<kHeadSize> stage, int first, HeadRows<Bf16> to,
                                           int count, bool accumulate) {
  constexpr int kChunks = RowTile<kHeadSize>::kChunks;
  const int lane = lane_index();
  __syncwarp();
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + m * 16 + row_of(2 * half);
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
        float low = sums[m][n][2 * half], high = sums[m][n][2 * half + 1];
        if (accumulate && row < count) {
          const auto before = Chunk<Bf16, 2>::load(to.row(row) + n * 8 + column_of(0));
          low += before[0];
          high += before[1];
        }
        store_shared(stage.chunk(row, n) + static_cast<std::uint32_t>(column_of(0) * 2),
                     pack_bf16(low, high));
      }
    }
  __syncwarp();
#pragma unroll
  for (int i = lane; i < kRowTiles * 16 * kChunks; i += kWarpSize) {
    const int row = first + i / kChunks, chunk = i % kChunks;
    if (row < count)
      *reinterpret_cast<uint4*>(to.row(row) + chunk * 8) =
          load_shared_16_bytes(stage.chunk(row, chunk));
  }
}

}  // namespace lodestone::kernels
