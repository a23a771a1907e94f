#include "train/schedule.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "engine/core/error.h"
#include "engine/io/hdf5.h"
#include "tests/testing/golden.h"

namespace lodestone {
namespace {

ErrorKind kind_of_fault(const ScheduleConfig& schedule, std::int64_t total) {
  try {
    validate(schedule, total);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(Schedule, RatesOfTheGoldenTrainingLog) {
  const hdf5::File file = hdf5::File::open(testing::golden_directory() / "golden.h5");
  const hdf5::Dataset log = file.dataset("training/log");
  const std::vector<double> rows = log.read<double>();
  const ScheduleConfig schedule{.shape = "linear", .peak_rate = 1e-3, .warmup_steps = 4};
  const std::int64_t steps = log.shape().at(0);
  ASSERT_EQ(steps, 12);
  for (std::int64_t step = 0; step < steps; ++step)
    EXPECT_DOUBLE_EQ(learning_rate(schedule, step, steps), rows[static_cast<std::size_t>(5 * step)])
        << "step " << step;
}

TEST(Schedule, ShapesMeetAtThePeakAndEndWhereTheySay) {
  for (const char* shape : {"constant", "linear", "cosine"}) {
    const ScheduleConfig schedule{.shape = shape, .peak_rate = 2, .warmup_steps = 10};
    EXPECT_EQ(learning_rate(schedule, 0, 110), 0) << shape;
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 5, 110), 1) << shape;
    EXPECT_DOUBLE_EQ(learning_rate(schedule, 10, 110), 2) << shape;
  }
  const ScheduleConfig linear{.shape = "linear", .peak_rate = 2, .warmup_steps = 10};
  const ScheduleConfig cosine{.shape = "cosine", .peak_rate = 2, .warmup_steps = 10};
  EXPECT_DOUBLE_EQ(learning_rate(linear, 35, 110), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate(linear, 110, 110), 0);
  EXPECT_DOUBLE_EQ(learning_rate(cosine, 35, 110), 1 + 0.70710678118654752);
  EXPECT_NEAR(learning_rate(cosine, 110, 110), 0, 1e-15);
  EXPECT_EQ(learning_rate({.shape = "constant", .peak_rate = 2, .warmup_steps = 10}, 109, 110), 2);
  EXPECT_EQ(learning_rate({.shape = "linear", .peak_rate = 2, .warmup_steps = 0}, 0, 110), 2);
}

TEST(Schedule, FaultsAreInvalidArguments) {
  const ScheduleConfig good{.shape = "linear", .peak_rate = 1e-3, .warmup_steps = 4};
  EXPECT_NO_THROW(validate(good, 12));
  ScheduleConfig bad = good;
  bad.shape = "exponential";
  EXPECT_EQ(kind_of_fault(bad, 12), ErrorKind::kInvalidArgument);
  bad = good;
  bad.peak_rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(kind_of_fault(bad, 12), ErrorKind::kInvalidArgument);
  bad = good;
  bad.warmup_steps = -1;
  EXPECT_EQ(kind_of_fault(bad, 12), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of_fault(good, 4), ErrorKind::kInvalidArgument);
}

TEST(Schedule, PriorsFadeIn) {
  EXPECT_EQ(prior_scale(0, 0), 1);
  EXPECT_EQ(prior_scale(0, 4), 0);
  EXPECT_EQ(prior_scale(1, 4), 0.25);
  EXPECT_EQ(prior_scale(4, 4), 1);
  EXPECT_EQ(prior_scale(400, 4), 1);
}

}  // namespace
}  // namespace lodestone
