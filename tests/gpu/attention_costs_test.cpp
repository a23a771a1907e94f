// What the bf16 attention kernels cost, as the instrument counts it: shared memory without bank
// conflicts, and rows that are read as often as the kernels' opening comments say.
#include <gtest/gtest.h>

#include "tests/gpu/attention_case.h"
#include "tests/gpu/emulator/metrics.h"

namespace lodestone {
namespace {

using testing::AttentionTensors;
using testing::whole_cells;

TEST(AttentionCosts, SharedMemoryWithoutConflicts) {
  for (const std::int64_t head_size : {32, 64, 128})
    for (const bool dropout : {false, true}) {
      ptx::kernel_metrics().clear();
      AttentionTensors<BFloat16>(whole_cells({150}, 1, head_size, dropout)).on_cuda();
      EXPECT_EQ(ptx::kernel_metrics().size(), 4u);  // one has no shared memory
      for (const auto& [kernel, metrics] : ptx::kernel_metrics()) {
        EXPECT_EQ(metrics.shared_requests == 0, kernel.find("terms") != std::string::npos);
        EXPECT_EQ(metrics.shared_conflicts, 0u) << kernel;
      }
    }
}

// 300 rows are three tiles of queries and, copied whole, five of keys.
TEST(AttentionCosts, ForwardCopiesKeysAndValuesOncePerTileOfQueries) {
  ptx::kernel_metrics().clear();
  AttentionTensors<BFloat16>(whole_cells({300}, 2, 64, false)).on_cuda();
  constexpr std::uint64_t kRowBytes = 128, kHeads = 2, kQueryTiles = 3;
  for (const auto& [kernel, metrics] : ptx::kernel_metrics()) {
    if (kernel.find("attention_forward") == std::string::npos) continue;
    EXPECT_EQ(metrics.asynchronous_bytes, kRowBytes * kHeads * kQueryTiles * (128 + 2 * 5 * 64));
  }
}

}  // namespace
}  // namespace lodestone
