#include "tests/gpu/emulator/clocks.h"

#include <gtest/gtest.h>

namespace lodestone::ptx {
namespace {

constexpr LaneMask kFirst = 1, kSecond = 2;

// Something a thread does now, to be asked about later.
struct Deed {
  ThreadId thread;
  Time time;
};
Deed deed(const BlockClocks& clocks, ThreadId thread) {
  return {thread, clocks.present(thread)};
}
bool knows(const BlockClocks& clocks, ThreadId thread, Deed deed) {
  return clocks.knows(thread, deed.thread, deed.time);
}
bool sees(const BlockClocks& clocks, View view, ThreadId thread, Deed deed) {
  return clocks.knows(view, thread, deed.thread, deed.time);
}

TEST(BlockClocks, OthersAreUnknownWithoutABarrier) {
  const BlockClocks clocks(64, 10);
  EXPECT_TRUE(knows(clocks, 0, deed(clocks, 0)));
  EXPECT_FALSE(knows(clocks, 0, deed(clocks, 1)));
  EXPECT_FALSE(knows(clocks, 40, deed(clocks, 1)));
}

TEST(BlockClocks, ABlockBarrierOrdersWhatCameBefore) {
  BlockClocks clocks(64, 10);
  const Deed before = deed(clocks, 1);
  clocks.join(std::array<LaneMask, 2>{kAllLanes, kAllLanes});
  const Deed after = deed(clocks, 1);
  EXPECT_TRUE(knows(clocks, 40, before));
  EXPECT_FALSE(knows(clocks, 40, after));
}

TEST(BlockClocks, AWarpBarrierOrdersItsLanesOnly) {
  BlockClocks clocks(64, 10);
  const Deed one = deed(clocks, 1), nine = deed(clocks, 9);
  clocks.join(std::array<LaneMask, 2>{0xff, 0});
  EXPECT_TRUE(knows(clocks, 0, one));
  EXPECT_FALSE(knows(clocks, 0, nine));
  EXPECT_FALSE(knows(clocks, 9, one));
  EXPECT_FALSE(knows(clocks, 40, one));
}

TEST(BlockClocks, KnowledgeIsPassedOn) {
  BlockClocks clocks(64, 10);
  const Deed one = deed(clocks, 1);
  clocks.join(std::array<LaneMask, 2>{kFirst | kSecond, 0});  // threads 0 and 1
  clocks.join(std::array<LaneMask, 2>{kFirst, kFirst});       // threads 0 and 32
  EXPECT_TRUE(knows(clocks, 32, one));
  EXPECT_FALSE(knows(clocks, 33, one));
}

TEST(BlockClocks, ReleaseAndAcquire) {
  BlockClocks clocks(64, 10);
  SyncClock clock;
  const Deed before = deed(clocks, 3);
  clocks.release(3, clock);
  const Deed after = deed(clocks, 3);
  EXPECT_FALSE(knows(clocks, 40, before));
  clocks.acquire(40, clock);
  EXPECT_TRUE(knows(clocks, 40, before));
  EXPECT_FALSE(knows(clocks, 40, after));
  EXPECT_FALSE(knows(clocks, 3, deed(clocks, 40)));  // not the other way
}

// What is added to a clock after it was acquired is not known by that.
TEST(BlockClocks, AnAcquiredClockIsNotChanged) {
  BlockClocks clocks(64, 10);
  SyncClock clock;
  clocks.release(3, clock);
  clocks.acquire(40, clock);
  const Deed later = deed(clocks, 5);
  clocks.release(5, clock);
  EXPECT_FALSE(knows(clocks, 40, later));
  clocks.acquire(41, clock);
  EXPECT_TRUE(knows(clocks, 41, later));
}

// Threads that meet do not learn of a copy; who waits for its mbarrier does, and passes it on.
TEST(BlockClocks, ActorsAreKnownThroughTheirClockAlone) {
  BlockClocks clocks(64, 10);
  SyncClock clock;
  const Deed copy{clocks.mbarrier_actor(0), clocks.act(clocks.mbarrier_actor(0), clock)};
  clocks.join(std::array<LaneMask, 2>{kAllLanes, kAllLanes});
  EXPECT_FALSE(knows(clocks, 7, copy));
  clocks.acquire(7, clock);
  EXPECT_TRUE(knows(clocks, 7, copy));
  EXPECT_FALSE(knows(clocks, 8, copy));
  clocks.join(std::array<LaneMask, 2>{kAllLanes, kAllLanes});
  EXPECT_TRUE(knows(clocks, 8, copy));
}

TEST(BlockClocks, AFenceCoversWhatItsThreadKnew) {
  BlockClocks clocks(64, 10);
  constexpr std::array kViews{View::kAsyncProxy};
  const Deed before = deed(clocks, 2);
  clocks.fence(0, 1u << 2, kViews);
  const Deed after = deed(clocks, 2);
  EXPECT_TRUE(sees(clocks, View::kAsyncProxy, 2, before));
  EXPECT_FALSE(sees(clocks, View::kAsyncProxy, 2, after));
  EXPECT_FALSE(sees(clocks, View::kDeviceFence, 2, before));
  EXPECT_FALSE(sees(clocks, View::kAsyncProxy, 40, before));
  clocks.join(std::array<LaneMask, 2>{kAllLanes, kAllLanes});
  EXPECT_TRUE(sees(clocks, View::kAsyncProxy, 40, before));
  EXPECT_FALSE(sees(clocks, View::kAsyncProxy, 40, after));
  // After the barrier a fence of one thread covers all that came before it.
  clocks.fence(1, 1u << 8, kViews);
  EXPECT_TRUE(sees(clocks, View::kAsyncProxy, 40, after));
  EXPECT_FALSE(sees(clocks, View::kAsyncProxy, 41, after));
}

TEST(BlockClocks, BarArriveIsKnownToThoseThatAreLetGo) {
  BlockClocks clocks(64, 10);
  SyncClock arrived;
  const Deed producer = deed(clocks, 40);
  clocks.release(40, arrived);
  const Deed consumer = deed(clocks, 0);
  clocks.join(std::array<LaneMask, 2>{kAllLanes, 0}, &arrived);
  EXPECT_TRUE(knows(clocks, 5, producer));
  EXPECT_FALSE(knows(clocks, 40, consumer));
}

TEST(BlockClocks, WhatWasPublishedCountsAfterAFenceOfItsScope) {
  BlockClocks clocks(32, 10);
  clocks.acquire_published(3, {.address = 64, .view = View::kDeviceFence, .publications = 2});
  const auto is_complete = [&clocks] { return clocks.knowledge(3)->acquired.at(0).complete; };
  constexpr std::array kProxy{View::kAsyncProxy};
  constexpr std::array kBlock{View::kBlockFence};
  constexpr std::array kDevice{View::kBlockFence, View::kDeviceFence};
  clocks.fence(0, 1u << 3, kProxy);
  clocks.fence(0, 1u << 3, kBlock);
  clocks.fence(0, 1u << 3, kDevice, false);
  EXPECT_FALSE(is_complete());
  clocks.fence(0, 1u << 3, kDevice);
  EXPECT_TRUE(is_complete());
}

}  // namespace
}  // namespace lodestone::ptx
