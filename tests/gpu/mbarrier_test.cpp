#include "tests/gpu/emulator/mbarrier.h"

#include <gtest/gtest.h>

namespace lodestone::ptx {
namespace {

Mbarrier made(std::uint32_t count) {
  Mbarrier barrier;
  EXPECT_EQ(barrier.init(count), "");
  return barrier;
}

TEST(Mbarrier, APhaseEndsWithTheLastArrival) {
  Mbarrier barrier = made(3);
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_FALSE(barrier.parity_completed(0));
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_TRUE(barrier.parity_completed(0));
  EXPECT_EQ(barrier.pending(), 3u);
}

// A barrier just made: the phase before its first counts as over.
TEST(Mbarrier, ParityOfTheTwoPhases) {
  Mbarrier barrier = made(1);
  for (std::uint32_t phase = 0; phase < 5; ++phase) {
    EXPECT_FALSE(barrier.parity_completed(phase & 1));
    EXPECT_TRUE(barrier.parity_completed((phase + 1) & 1));
    EXPECT_EQ(barrier.arrive(1), "");
  }
}

TEST(Mbarrier, TokensNameTheirPhase) {
  Mbarrier barrier = made(2);
  const std::uint64_t first = barrier.token();
  EXPECT_EQ(Mbarrier::pending_of(first), 2u);
  EXPECT_EQ(barrier.arrive(1), "");
  const std::uint64_t second = barrier.token();
  EXPECT_EQ(Mbarrier::pending_of(second), 1u);
  EXPECT_FALSE(barrier.token_phase_completed(first));
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_TRUE(barrier.token_phase_completed(first));
  EXPECT_TRUE(barrier.token_phase_completed(second));
  EXPECT_FALSE(barrier.token_phase_completed(barrier.token()));
}

TEST(Mbarrier, WaitsForBytesWhateverComesFirst) {
  Mbarrier barrier = made(1);
  EXPECT_EQ(barrier.expect_tx(64), "");
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.complete_tx(32), "");
  EXPECT_FALSE(barrier.parity_completed(0));
  EXPECT_EQ(barrier.complete_tx(32), "");
  EXPECT_TRUE(barrier.parity_completed(0));
  EXPECT_EQ(barrier.complete_tx(48), "");  // before they are announced
  EXPECT_EQ(barrier.transactions(), -48);
  EXPECT_EQ(barrier.expect_tx(48), "");
  EXPECT_FALSE(barrier.parity_completed(1));
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_TRUE(barrier.parity_completed(1));
}

TEST(Mbarrier, AnArrivalTooManyIsSaid) {
  Mbarrier barrier = made(2);
  EXPECT_EQ(barrier.expect_tx(16), "");
  EXPECT_EQ(barrier.arrive(2), "");
  EXPECT_NE(barrier.arrive(1), "");
  EXPECT_NE(barrier.arrive(0), "");
}

TEST(Mbarrier, CountsHaveBounds) {
  Mbarrier barrier;
  EXPECT_NE(barrier.init(0), "");
  EXPECT_NE(barrier.init(1u << 20), "");
  EXPECT_EQ(barrier.init((1u << 20) - 1), "");
  EXPECT_EQ(barrier.expect_tx((1u << 20) - 1), "");
  EXPECT_NE(barrier.expect_tx(1), "");
  EXPECT_EQ(barrier.init(1), "");
  EXPECT_EQ(barrier.complete_tx((1u << 20) - 1), "");
  EXPECT_NE(barrier.complete_tx(1), "");
}

TEST(Mbarrier, ADroppedArrivalIsNotExpectedAgain) {
  Mbarrier barrier = made(2);
  EXPECT_EQ(barrier.arrive_and_drop(1), "");
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.expected(), 1u);
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.phase(), 2u);
  EXPECT_NE(barrier.arrive_and_drop(2), "");
}

TEST(Mbarrier, APendingArrivalIsAddedToThePhase) {
  Mbarrier barrier = made(1);
  EXPECT_EQ(barrier.add_pending(), "");
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.phase(), 0u);
  EXPECT_EQ(barrier.arrive(1), "");
  EXPECT_EQ(barrier.phase(), 1u);
  EXPECT_EQ(barrier.pending(), 1u);
}

}  // namespace
}  // namespace lodestone::ptx
