#pragma once
// Host functions that launch the test kernels of one family: shared memory, barriers and atomics.
#include <cuda_runtime_api.h>

namespace lodestone::gpu_tests {

enum class BlockBug {
  kNone,
  kNoBarrier,              // between writing and reading shared memory
  kPastTheArray,           // a store beyond a shared array
  kHalfSkipsBarrier,       // half of the block
  kReturnsEarly,           // some threads of a warp, before a barrier
  kUninitialised,          // reads what nobody wrote
  kHalfShuffles,           // a shuffle of all lanes in half of a warp
  kWritesPastTheEnd,       // of global memory
  kNoWarpBarrier,          // lanes pass shared memory without __syncwarp
  kPlainIncrement,         // ++ for atomicAdd
  kNoFence,                // the last block reads without __threadfence by the others
  kNoFenceOfReader,        // ... or without its own
  kBlockFence,             // __threadfence_block for __threadfence
  kNoBarrierBeforeTicket,  // a block hands in its ticket before all its threads have written
  kOrderedTicket,          // no mistake: the atomic itself releases and acquires, without fences
  kReleasingTicket,        // the atomic releases only
};

// *sum = the sum of in[count], blocks of 256 threads; *sum must be zero.
cudaError_t block_sum(BlockBug bug, const float* in, int count, int blocks, float* sum);
// The same by one warp of 32 values, through shared memory.
cudaError_t warp_sum(BlockBug bug, const float* in, float* sum);
// The same, deterministic: the last block adds the blocks' partial sums. ticket must be zero.
cudaError_t last_block_sum(BlockBug bug, const float* in, int count, int blocks, float* partial,
                           unsigned* ticket, float* sum);
// counts[256] += the histogram of bytes.
cudaError_t histogram(BlockBug bug, const unsigned char* bytes, int count, int blocks,
                      unsigned* counts);
// Rows minus their mean: [rows, columns], one warp each.
cudaError_t centre_rows(BlockBug bug, const float* in, int rows, int columns, float* out);
// out[i] = in[(i + 1) % 64] for 64 threads, handed from one warp to the other through named
// barriers.
cudaError_t named_barriers(bool with_barrier, const float* in, float* out);

}  // namespace lodestone::gpu_tests
