#pragma once
// Host functions that launch the test kernels of one family: TMA, mbarriers and wgmma. Tensor maps
// are of the caller's making.
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace lodestone::gpu_tests {

enum class WarpgroupBug {
  kNone,
  kNoEmptyWait,         // the producer overwrites a stage that is still read
  kNoFullWait,          // the consumers read a stage that is still written
  kEarlyRelease,        // a stage is handed back before wgmma.wait_group
  kNoBarrierAfterInit,  // other warps use the mbarriers before they are made
  kTooFewBytes,         // expected: half of what comes
  kTooManyBytes,
  kWrongParity,      // of the wait for a full stage
  kWrongCount,       // the empty mbarriers expect one arrival of the four that come
  kNoFence,          // no wgmma.fence
  kNoCommit,         // no wgmma.commit_group
  kThreeWarps,       // one warp of the warpgroup computes nothing
  kMisalignedStage,  // TMA to an address that is no multiple of 128
  kPlainDescriptor,  // the descriptor says no swizzle, the tensor map says 128 bytes
};

// c[m, n] = a[m, k] * b[n, k]^T: bf16, boxes of 64 x 64 with 128 swizzled bytes; m, n, k multiples
// of 64.
struct WarpgroupProductArgs {
  CUtensorMap a;
  CUtensorMap b;
  float* c = nullptr;
  int m = 0, n = 0, k = 0;
};
cudaError_t warpgroup_product(WarpgroupBug bug, const WarpgroupProductArgs& args);

// c[64, 32] = a[64, 16] * b[16, 32], bf16 from plain loads; a and b both MN-major in shared memory
// without a swizzle, or a from registers.
enum class GenericBug {
  kNone,
  kNoProxyFence,  // wgmma reads what st.shared wrote without fence.proxy.async
};
cudaError_t generic_product(GenericBug bug, bool a_in_registers, const std::uint16_t* a,
                            const std::uint16_t* b, float* c);
// The same in tf32: c[64, 16] = a[64, 8] * b[16, 8]^T, K-major without a swizzle.
cudaError_t generic_product_tf32(const float* a, const float* b, float* c);

// c[64, 64] = a[64, 64] * b[64, 64], bf16, loaded by TMA with a swizzle of 128, 64 or 32 bytes:
// boxes of 64 rows of that many bytes.
cudaError_t swizzled_product(int span, const CUtensorMap& a, const CUtensorMap& b, float* c);

enum class CopyBug {
  kNone,
  kNoProxyFence,    // a bulk store of what st.shared wrote, without fence.proxy.async
  kNoReadWait,      // the buffer is written again while the store still reads it
  kNoCommit,        // no cp.async.bulk.commit_group
  kNoWait,          // the block ends before the store has read
  kOddSize,         // 24 bytes
  kPastTheBuffer,   // a load of twice the buffer
  kBarrierNotMade,  // no mbarrier.init
};

// to[count] = 2 * from[count] through shared memory by bulk copies, count a multiple of 256.
cudaError_t bulk_doubling(CopyBug bug, const float* from, int count, float* to);
// to[count] += from[count], by bulk reductions of 128 floats.
cudaError_t bulk_addition(const float* from, int count, float* to);

// The box at (column, row) of one map goes to the box at the origin of the other: f32, 32 x 8.
cudaError_t tensor_box(const CUtensorMap& from, const CUtensorMap& to, int column, int row,
                       bool adds);
// The same of a tensor of rank 3 (bf16, 16 x 4 x 2), into plain memory; the bytes as they lie in
// shared memory.
cudaError_t tensor_box_3d(const CUtensorMap& from, int column, int row, int plane,
                          std::uint16_t* to);
// A tensor map of nothing: 128 zeros.
cudaError_t tensor_box_without_map(float* to);

// to[i] = from[i], copied by cp.async whose arrival an mbarrier waits for; waits by token, not by
// parity.
cudaError_t copies_to_mbarrier(bool with_wait, const float* from, float* to);

}  // namespace lodestone::gpu_tests
