#include "data/prefetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

namespace lodestone {
namespace {

TEST(Prefetcher, GivesEverythingInOrder) {
  int made = 0;
  Prefetcher<std::unique_ptr<int>> prefetcher([&] { return std::make_unique<int>(made++); }, 3);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*prefetcher.take(), i);
}

TEST(Prefetcher, StaysWithinItsCapacity) {
  std::atomic<int> made{0};
  Prefetcher<int> prefetcher([&] { return made.fetch_add(1); }, 2);
  const auto settled = [&](int count) {
    while (made.load() < count) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return made.load();
  };
  EXPECT_EQ(settled(2), 2);
  EXPECT_EQ(prefetcher.take(), 0);
  EXPECT_EQ(settled(3), 3);
}

TEST(Prefetcher, RethrowsWhatStoppedTheThread) {
  int made = 0;
  Prefetcher<int> prefetcher(
      [&] {
        if (made == 2) throw std::runtime_error("no more");
        return made++;
      },
      4);
  EXPECT_EQ(prefetcher.take(), 0);
  EXPECT_EQ(prefetcher.take(), 1);
  EXPECT_THROW(prefetcher.take(), std::runtime_error);
  EXPECT_THROW(prefetcher.take(), std::runtime_error);
}

}  // namespace
}  // namespace lodestone
