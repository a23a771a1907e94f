#include <gtest/gtest.h>

#include <functional>

#include "tests/gpu/emulator/metrics.h"

namespace lodestone::ptx {
namespace {

LaneAddresses addresses(const std::function<std::uint64_t(std::uint64_t)>& of_lane) {
  LaneAddresses result;
  for (std::uint64_t lane = 0; lane < kLanes; ++lane) result[lane] = of_lane(lane);
  return result;
}

int wavefronts(std::uint32_t bytes, const std::function<std::uint64_t(std::uint64_t)>& of_lane,
               LaneMask mask = kAllLanes) {
  return shared_wavefronts(addresses(of_lane), mask, bytes);
}

TEST(Metrics, WavefrontsOfWords) {
  EXPECT_EQ(wavefronts(4, [](auto lane) { return 4 * lane; }), 1);
  EXPECT_EQ(wavefronts(4, [](auto lane) { return 4 * (31 - lane); }), 1);
  EXPECT_EQ(wavefronts(4, [](auto) { return 64; }), 1);  // one word for all
  EXPECT_EQ(wavefronts(4, [](auto lane) { return 8 * lane; }), 2);
  EXPECT_EQ(wavefronts(4, [](auto lane) { return 128 * lane; }), 32);  // a column
  EXPECT_EQ(wavefronts(4, [](auto lane) { return 132 * lane; }), 1);   // a padded column
  EXPECT_EQ(wavefronts(
                4, [](auto lane) { return 128 * lane; }, 0x0f),
            4);
}

TEST(Metrics, NarrowAccessesShareWords) {
  EXPECT_EQ(wavefronts(2, [](auto lane) { return 2 * lane; }), 1);
  EXPECT_EQ(wavefronts(1, [](auto lane) { return lane; }), 1);
  EXPECT_EQ(wavefronts(2, [](auto lane) { return 64 * lane; }), 16);
}

TEST(Metrics, WideAccessesTakeTurns) {
  EXPECT_EQ(wavefronts(8, [](auto lane) { return 8 * lane; }), 2);
  EXPECT_EQ(wavefronts(16, [](auto lane) { return 16 * lane; }), 4);
  EXPECT_EQ(ideal_wavefronts(kAllLanes, 16), 4);
  EXPECT_EQ(ideal_wavefronts(0xff, 16), 1);
  // Rows of 128 bytes: every lane of a group of eight wants the same four banks; with the exchange
  // of chunks they want all of them.
  EXPECT_EQ(wavefronts(16, [](auto lane) { return 128 * lane; }), 32);
  EXPECT_EQ(wavefronts(16, [](auto lane) { return 128 * lane + (lane % 8) * 16; }), 4);
}

TEST(Metrics, Sectors) {
  const auto sectors =
      [](std::uint32_t bytes, const std::function<std::uint64_t(std::uint64_t)>& of_lane,
         LaneMask mask = kAllLanes) { return global_sectors(addresses(of_lane), mask, bytes); };
  EXPECT_EQ(sectors(4, [](auto lane) { return 4 * lane; }), 4);
  EXPECT_EQ(sectors(4, [](auto lane) { return 16 + 4 * lane; }), 5);
  EXPECT_EQ(sectors(16, [](auto lane) { return 16 * lane; }), 16);
  EXPECT_EQ(sectors(4, [](auto lane) { return 256 * lane; }), 32);
  EXPECT_EQ(sectors(4, [](auto) { return 4096; }), 1);
  EXPECT_EQ(sectors(
                4, [](auto lane) { return 4 * lane; }, 0xff),
            1);
  EXPECT_EQ(sectors(2, [](auto lane) { return 2 * lane; }), 2);
}

TEST(Metrics, AreAddedAndDescribed) {
  Metrics sum;
  Metrics one;
  one.shared_requests = 2;
  one.asynchronous_bytes = 5;
  sum += one;
  sum += one;
  EXPECT_EQ(sum.shared_requests, 4u);
  EXPECT_EQ(sum.asynchronous_bytes, 10u);
  EXPECT_EQ(sum.describe(), "shared requests 4, asynchronous bytes 10");
}

}  // namespace
}  // namespace lodestone::ptx
