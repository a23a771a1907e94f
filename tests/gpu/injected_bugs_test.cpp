// Kernels with one mistake each: what the instrument must say about it. That the same kernels
// without the mistake give no finding is the last group's business.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/gpu/emulator/metrics.h"
#include "tests/gpu/emulator/options.h"
#include "tests/gpu/expect_finding.h"
#include "tests/gpu/kernels/block_kernels.h"
#include "tests/gpu/tensor_cases.h"

namespace lodestone::testing {
namespace {

using gpu_tests::BlockBug;
using gpu_tests::CopyBug;
using gpu_tests::GenericBug;
using gpu_tests::TileBug;
using gpu_tests::WarpgroupBug;
using ptx::FindingKind;

const ExpectedFinding kSharedRace{FindingKind::kRace, "data race on shared memory"};
const ExpectedFinding kUninitialised{FindingKind::kUninitialised, "not written"};
const ExpectedFinding kCopyUnderWay{FindingKind::kRace, "a copy under way"};

// Every row in the order of warps, and in a random one.
class InjectedBugs : public ::testing::TestWithParam<std::uint64_t> {
 public:
  InjectedBugs() { ptx::options().seed = GetParam(); }
  ~InjectedBugs() override { ptx::options().seed = 0; }
};
INSTANTIATE_TEST_SUITE_P(Schedules, InjectedBugs, ::testing::Values(0, 5));

struct BlockInputs {
  DeviceArray<float> in{normal_floats(5000, 1)};
  DeviceArray<float> out{8 * 64, 0.f};
  DeviceArray<float> partial{4 * 256, 0.f};
  DeviceArray<unsigned> ticket{1, 0u};

  cudaError_t sum(BlockBug bug) {
    return gpu_tests::block_sum(bug, in.data(), 5000, 2, out.data());
  }
  cudaError_t last_block(BlockBug bug) {
    return gpu_tests::last_block_sum(bug, in.data(), 5000, 4, partial.data(), ticket.data(),
                                     out.data());
  }
};

// ------------------------------------------------------------------------------- barriers and
// atomics

TEST_P(InjectedBugs, StoreAndLoadWithoutABarrier) {
  BlockInputs inputs;
  expect_finding({kSharedRace, kUninitialised}, [&] { return inputs.sum(BlockBug::kNoBarrier); });
}

TEST_P(InjectedBugs, StorePastASharedArray) {
  BlockInputs inputs;
  expect_finding(FindingKind::kOutOfBounds, "shared write of 4 bytes",
                 [&] { return inputs.sum(BlockBug::kPastTheArray); });
}

TEST_P(InjectedBugs, HalfOfTheBlockSkipsABarrier) {
  BlockInputs inputs;
  expect_finding(FindingKind::kDivergence, "barrier",
                 [&] { return inputs.sum(BlockBug::kHalfSkipsBarrier); });
}

TEST_P(InjectedBugs, ReturnBeforeABarrier) {
  BlockInputs inputs;
  expect_finding(FindingKind::kDivergence, "returned",
                 [&] { return inputs.sum(BlockBug::kReturnsEarly); });
}

TEST_P(InjectedBugs, UninitialisedSharedMemory) {
  BlockInputs inputs;
  expect_finding(FindingKind::kUninitialised, "not written",
                 [&] { return inputs.sum(BlockBug::kUninitialised); });
}

TEST_P(InjectedBugs, ShuffleInHalfOfAWarp) {
  BlockInputs inputs;
  expect_finding(FindingKind::kDivergence, "", [&] {
    return gpu_tests::centre_rows(BlockBug::kHalfShuffles, inputs.in.data(), 8, 64,
                                  inputs.out.data());
  });
}

TEST_P(InjectedBugs, WritePastTheEndOfGlobalMemory) {
  DeviceArray<float> in(64, 1.f), out(64, 0.f);
  expect_finding(FindingKind::kOutOfBounds, "global write of 4 bytes", [&] {
    return gpu_tests::centre_rows(BlockBug::kWritesPastTheEnd, in.data(), 1, 64, out.data());
  });
}

TEST_P(InjectedBugs, LanesPassMemoryWithoutAWarpBarrier) {
  BlockInputs inputs;
  expect_finding(FindingKind::kRace, "data race on shared memory", [&] {
    return gpu_tests::warp_sum(BlockBug::kNoWarpBarrier, inputs.in.data(), inputs.out.data());
  });
}

TEST_P(InjectedBugs, IncrementForAnAtomic) {
  DeviceArray<unsigned char> bytes(2000, static_cast<unsigned char>(7));
  DeviceArray<unsigned> counts(256, 0u);
  expect_finding(FindingKind::kRace, "data race on shared memory", [&] {
    return gpu_tests::histogram(BlockBug::kPlainIncrement, bytes.data(), 2000, 2, counts.data());
  });
}

TEST_P(InjectedBugs, LastBlockWithoutFences) {
  for (const BlockBug bug : {BlockBug::kNoFence, BlockBug::kNoFenceOfReader, BlockBug::kBlockFence,
                             BlockBug::kNoBarrierBeforeTicket, BlockBug::kReleasingTicket}) {
    BlockInputs inputs;
    expect_finding(FindingKind::kRace, "data race on global memory",
                   [&] { return inputs.last_block(bug); });
  }
}

TEST_P(InjectedBugs, NamedBarrierMissing) {
  BlockInputs inputs;
  expect_finding(FindingKind::kRace, "data race on shared memory", [&] {
    return gpu_tests::named_barriers(false, inputs.in.data(), inputs.out.data());
  });
}

// ---------------------------------------------------------------------- cp.async, ldmatrix and mma

TEST_P(InjectedBugs, TilesWithoutABarrierAfterTheWait) {
  AttentionCase attention(1, 200);
  expect_finding(FindingKind::kRace, "data race on shared memory: this read",
                 [&] { return attention.run(TileBug::kNoBarrierAfterWait); });
}

TEST_P(InjectedBugs, TilesWithoutABarrierBeforeReuse) {
  AttentionCase attention(1, 200);
  expect_finding(FindingKind::kRace, "data race on shared memory",
                 [&] { return attention.run(TileBug::kNoBarrierBeforeReuse); });
}

TEST_P(InjectedBugs, TilesWithoutWaitGroup) {
  AttentionCase attention(1, 200);
  expect_finding(FindingKind::kRace, "a copy under way",
                 [&] { return attention.run(TileBug::kNoWait); });
}

TEST_P(InjectedBugs, MatricesPastTheTile) {
  AttentionCase attention(1, 128);
  expect_finding(FindingKind::kOutOfBounds, "shared read",
                 [&] { return attention.run(TileBug::kPastTheTile); });
}

TEST_P(InjectedBugs, AWarpSkipsABarrier) {
  AttentionCase attention(1, 200);
  expect_finding(FindingKind::kRace, "data race on shared memory",
                 [&] { return attention.run(TileBug::kWarpSkipsBarrier); });
}

TEST_P(InjectedBugs, TilesReadPastTheEnd) {
  AttentionCase attention(1, 200);
  expect_finding(FindingKind::kOutOfBounds, "global read",
                 [&] { return attention.run(TileBug::kReadsPastTheEnd); });
}

// Wrong numbers are no finding: the comparison with f64 sees them.
TEST_P(InjectedBugs, FragmentsAndHalvesExchanged) {
  for (const TileBug bug : {TileBug::kSwappedFragments, TileBug::kSwappedHalves}) {
    AttentionCase attention(1, 200);
    expect_no_finding([&] { return attention.run(bug); });
    EXPECT_GT(attention.error(), 0.1);
  }
}

TEST(BankConflicts, AreCounted) {
  for (const auto& [bug, conflicts] :
       {std::pair{TileBug::kNone, false}, std::pair{TileBug::kPlainLayout, true}}) {
    ptx::kernel_metrics().clear();
    AttentionCase attention(1, 128);
    expect_no_finding([&] { return attention.run(bug); });
    ASSERT_EQ(ptx::kernel_metrics().size(), 1u);
    const ptx::Metrics& metrics = ptx::kernel_metrics().begin()->second;
    EXPECT_EQ(metrics.shared_conflicts, conflicts ? metrics.shared_requests * 28 : 0)
        << metrics.describe();
    EXPECT_EQ(metrics.shared_wavefronts, metrics.shared_requests * (conflicts ? 32 : 4));
  }
}

// ------------------------------------------------------------------------- TMA, mbarriers and
// wgmma

void expect_in_product(WarpgroupBug bug, const std::vector<ExpectedFinding>& any_of) {
  WarpgroupProductCase product;
  expect_finding(any_of, [&] { return product.run(bug); });
}

TEST_P(InjectedBugs, NoWaitForAnEmptyStage) {
  expect_in_product(WarpgroupBug::kNoEmptyWait,
                    {{FindingKind::kAsynchronous, "more arrivals than its count"}, kSharedRace});
}

TEST_P(InjectedBugs, NoWaitForAFullStage) {
  expect_in_product(WarpgroupBug::kNoFullWait, {kUninitialised, kCopyUnderWay});
}

TEST_P(InjectedBugs, StageReleasedBeforeTheProductHasRead) {
  expect_in_product(WarpgroupBug::kEarlyRelease,
                    {{FindingKind::kRace, "the read by a matrix product"},
                     {FindingKind::kRace, "the read under way by thread"}});
}

TEST_P(InjectedBugs, MbarriersUsedBeforeTheyAreMade) {
  expect_in_product(WarpgroupBug::kNoBarrierAfterInit,
                    {kSharedRace, {FindingKind::kAsynchronous, "without an mbarrier.init"}});
}

TEST_P(InjectedBugs, TooFewBytesExpected) {
  expect_in_product(WarpgroupBug::kTooFewBytes, {kCopyUnderWay});
}

TEST_P(InjectedBugs, TooManyBytesExpected) {
  expect_in_product(WarpgroupBug::kTooManyBytes,
                    {{FindingKind::kDeadlock, "every warp of the block waits"}});
}

TEST_P(InjectedBugs, WaitForTheWrongParity) {
  expect_in_product(WarpgroupBug::kWrongParity, {kUninitialised, kCopyUnderWay});
}

TEST_P(InjectedBugs, MoreArrivalsThanCounted) {
  expect_in_product(WarpgroupBug::kWrongCount,
                    {{FindingKind::kAsynchronous, "more arrivals than its count"},
                     {FindingKind::kDeadlock, "every warp of the block waits"},
                     kSharedRace});
}

TEST_P(InjectedBugs, ProductWithoutFence) {
  expect_in_product(WarpgroupBug::kNoFence,
                    {{FindingKind::kAsynchronous, "without a wgmma.fence"}});
}

TEST_P(InjectedBugs, ProductWithoutCommit) {
  expect_in_product(WarpgroupBug::kNoCommit, {{FindingKind::kRace, "read under way"}});
}

TEST_P(InjectedBugs, OneWarpOfTheWarpgroupStaysAway) {
  expect_in_product(WarpgroupBug::kThreeWarps, {{FindingKind::kDivergence, "all four warps"}});
}

TEST_P(InjectedBugs, StageAtTheWrongAddress) {
  expect_in_product(WarpgroupBug::kMisalignedStage,
                    {{FindingKind::kMisaligned, "multiple of 128"}});
}

TEST_P(InjectedBugs, DescriptorWithoutTheSwizzle) {
  WarpgroupProductCase product;
  expect_no_finding([&] { return product.run(WarpgroupBug::kPlainDescriptor); });
  EXPECT_GT(product.error(), 1);
}

TEST_P(InjectedBugs, ProductOfPlainStoresWithoutAProxyFence) {
  DeviceArray<std::uint16_t> a(normal_bf16(64 * 16, 1)), b(normal_bf16(16 * 32, 2));
  DeviceArray<float> c(64 * 32, 0.f);
  expect_finding(FindingKind::kRace, "without a fence.proxy.async", [&] {
    return gpu_tests::generic_product(GenericBug::kNoProxyFence, false, a.data(), b.data(),
                                      c.data());
  });
}

void expect_in_doubling(CopyBug bug, int count, FindingKind kind, const std::string& text) {
  DeviceArray<float> from(normal_floats(1024, 3)), to(1024, 0.f);
  expect_finding(kind, text,
                 [&] { return gpu_tests::bulk_doubling(bug, from.data(), count, to.data()); });
}

TEST_P(InjectedBugs, BulkStoreWithoutAProxyFence) {
  expect_in_doubling(CopyBug::kNoProxyFence, 256, FindingKind::kRace,
                     "without a fence.proxy.async");
}

TEST_P(InjectedBugs, BufferWrittenWhileABulkStoreReadsIt) {
  expect_in_doubling(CopyBug::kNoReadWait, 512, FindingKind::kRace, "read under way");
}

TEST_P(InjectedBugs, BulkStoreWithoutCommit) {
  expect_in_doubling(CopyBug::kNoCommit, 256, FindingKind::kAsynchronous, "commit_group");
}

TEST_P(InjectedBugs, BlockEndsBeforeABulkStoreHasRead) {
  expect_in_doubling(CopyBug::kNoWait, 256, FindingKind::kAsynchronous,
                     "still reads its shared memory");
}

TEST_P(InjectedBugs, BulkCopyOfAnOddSize) {
  expect_in_doubling(CopyBug::kOddSize, 256, FindingKind::kAsynchronous, "no multiple of 16");
}

TEST_P(InjectedBugs, BulkLoadPastItsBuffer) {
  expect_in_doubling(CopyBug::kPastTheBuffer, 256, FindingKind::kOutOfBounds,
                     "shared write of 2048 bytes");
}

TEST_P(InjectedBugs, MbarrierNeverMade) {
  expect_in_doubling(CopyBug::kBarrierNotMade, 256, FindingKind::kAsynchronous,
                     "without an mbarrier.init");
}

TEST_P(InjectedBugs, NoTensorMap) {
  DeviceArray<float> to(64, 0.f);
  expect_finding(FindingKind::kAsynchronous, "no tensor map",
                 [&] { return gpu_tests::tensor_box_without_map(to.data()); });
}

TEST_P(InjectedBugs, CopiesReadBeforeTheyArrive) {
  DeviceArray<float> from(normal_floats(512, 4)), to(512, 0.f);
  expect_finding({kCopyUnderWay, kUninitialised},
                 [&] { return gpu_tests::copies_to_mbarrier(false, from.data(), to.data()); });
}

// ------------------------------------------------------------------------------------ no mistake

class RightKernels : public ::testing::TestWithParam<std::uint64_t> {
 public:
  RightKernels() { ptx::options().seed = GetParam(); }
  ~RightKernels() override { ptx::options().seed = 0; }
};
INSTANTIATE_TEST_SUITE_P(Schedules, RightKernels, ::testing::Values(0, 1, 2, 3));

TEST_P(RightKernels, OfBlocksGiveNoFinding) {
  BlockInputs inputs;
  expect_no_finding([&] { return inputs.sum(BlockBug::kNone); });
  expect_no_finding([&] { return inputs.last_block(BlockBug::kNone); });
  expect_no_finding([&] { return BlockInputs().last_block(BlockBug::kOrderedTicket); });
  expect_no_finding(
      [&] { return gpu_tests::warp_sum(BlockBug::kNone, inputs.in.data(), inputs.out.data()); });
  expect_no_finding([&] {
    return gpu_tests::centre_rows(BlockBug::kNone, inputs.in.data(), 8, 64, inputs.out.data());
  });
  expect_no_finding(
      [&] { return gpu_tests::named_barriers(true, inputs.in.data(), inputs.out.data()); });
}

TEST_P(RightKernels, OfTilesGiveNoFinding) {
  for (const int length : {1, 64, 200}) {
    AttentionCase attention(2, length);
    expect_no_finding([&] { return attention.run(TileBug::kNone); });
    EXPECT_LT(attention.error(), 0.02);
  }
}

TEST_P(RightKernels, OfWarpgroupsGiveNoFinding) {
  WarpgroupProductCase product;
  expect_no_finding([&] { return product.run(WarpgroupBug::kNone); });
  EXPECT_LT(product.error(), 1e-3);
  DeviceArray<std::uint16_t> a(normal_bf16(64 * 16, 1)), b(normal_bf16(16 * 32, 2));
  DeviceArray<float> c(64 * 32, 0.f);
  for (const bool in_registers : {false, true})
    expect_no_finding([&] {
      return gpu_tests::generic_product(GenericBug::kNone, in_registers, a.data(), b.data(),
                                        c.data());
    });
}

TEST_P(RightKernels, OfCopiesGiveNoFinding) {
  DeviceArray<float> from(normal_floats(1024, 3)), to(1024, 0.f);
  expect_no_finding(
      [&] { return gpu_tests::bulk_doubling(CopyBug::kNone, from.data(), 1024, to.data()); });
  expect_no_finding([&] { return gpu_tests::bulk_addition(from.data(), 1024, to.data()); });
  expect_no_finding([&] { return gpu_tests::copies_to_mbarrier(true, from.data(), to.data()); });
}

}  // namespace
}  // namespace lodestone::testing
