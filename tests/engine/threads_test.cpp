#include "engine/core/threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::expect_throws;
using Range = std::pair<std::int64_t, std::int64_t>;

class ThreadsTest : public ::testing::Test {
 protected:
  ~ThreadsTest() override { set_thread_count(previous_); }

  static std::vector<Range> ranges(std::int64_t n, std::int64_t grain) {
    std::mutex mutex;
    std::vector<Range> result;
    parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
      const std::lock_guard lock(mutex);
      result.emplace_back(begin, end);
    });
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  int previous_ = thread_count();
};

TEST_F(ThreadsTest, RangesCoverEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    for (const std::int64_t n : {1, 2, 6, 7, 1000}) {
      std::int64_t at = 0;
      for (const auto& [begin, end] : ranges(n, 1)) {
        EXPECT_EQ(begin, at);
        EXPECT_GT(end, begin);
        at = end;
      }
      EXPECT_EQ(at, n);
    }
  }
}

TEST_F(ThreadsTest, TheCutIsAFunctionOfItemsGrainAndThreads) {
  set_thread_count(3);
  EXPECT_EQ(ranges(9, 1), (std::vector<Range>{{0, 3}, {3, 6}, {6, 9}}));
  EXPECT_EQ(ranges(9, 4), (std::vector<Range>{{0, 4}, {4, 9}}));
  EXPECT_EQ(ranges(9, 5), (std::vector<Range>{{0, 9}}));
  EXPECT_EQ(ranges(2, 1), (std::vector<Range>{{0, 1}, {1, 2}}));
  set_thread_count(1);
  EXPECT_EQ(ranges(9, 1), (std::vector<Range>{{0, 9}}));
}

TEST_F(ThreadsTest, NothingRunsForNothing) {
  EXPECT_TRUE(ranges(0, 1).empty());
  EXPECT_TRUE(ranges(-5, 1).empty());
}

TEST_F(ThreadsTest, ANestedCallRunsOnItsOwnThread) {
  set_thread_count(2);
  std::mutex mutex;
  std::vector<Range> inner;
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    parallel_for(10, 1, [&](std::int64_t begin, std::int64_t end) {
      const std::lock_guard lock(mutex);
      inner.emplace_back(begin, end);
    });
  });
  EXPECT_EQ(inner, (std::vector<Range>{{0, 10}, {0, 10}}));
}

TEST_F(ThreadsTest, AnErrorInARangeReachesTheCaller) {
  set_thread_count(3);
  std::vector<int> done(3, 0);
  expect_throws(
      ErrorKind::kNumeric,
      [&] {
        parallel_for(3, 1, [&](std::int64_t begin, std::int64_t) {
          if (begin == 1) throw_error(ErrorKind::kNumeric, "item 1");
          done[static_cast<std::size_t>(begin)] = 1;
        });
      },
      "item 1");
  EXPECT_EQ(done, (std::vector<int>{1, 0, 1}));
  EXPECT_EQ(ranges(3, 1).size(), 3u) << "the team works on after an error";
}

TEST_F(ThreadsTest, RefusesACountThatIsNone) {
  for (const int count : {0, -1, 1025})
    expect_throws(
        ErrorKind::kInvalidArgument, [&] { set_thread_count(count); },
        "threads: expected 1 to 1024, got " + std::to_string(count));
}

}  // namespace
}  // namespace lodestone
