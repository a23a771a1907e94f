// The suite of `lodestone bench` on CUDA: every op in both directions, steps with their phases.
// Times on the interpreter mean nothing; that everything runs and is told apart does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "bench/peaks.h"
#include "bench/suite.h"

namespace lodestone::bench {
namespace {

using ::testing::Contains;
using ::testing::Key;

constexpr std::size_t kFewBytes = 4096;

Suite little(DType dtype, const std::string& filter) {
  return {.shape = {.model = {.vocabulary = 96,
                              .hidden = 64,
                              .layers = 2,
                              .heads = 2,
                              .intermediate = 128,
                              .max_positions = 32,
                              .prior_width = 64},
                    .full = {24},
                    .mix = {24, 17, 9},
                    .simulated_cells = 4,
                    .simulated_genes = 60,
                    .simulated_depth = 100},
          .device = Device::cuda(),
          .dtypes = {dtype},
          .effort = {.repetitions = 1, .seconds = 0},
          .filter = std::regex(filter),
          .beyond_caches = kFewBytes};
}

std::map<std::string, Row> rows_of(void (*measure)(const Suite&), Suite suite) {
  std::map<std::string, Row> rows;
  suite.report = [&](const Row& row) { rows[row.name] = row; };
  measure(suite);
  return rows;
}

TEST(BenchOnCuda, EveryOpRunsInBothDtypesAndDirections) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const auto rows = rows_of(measure_ops, little(dtype, "/mix/"));
    EXPECT_EQ(rows.size(), 2u * 25) << "ops with a forward and a backward";
    for (const auto& [name, row] : rows) {
      EXPECT_GE(row.timing.median, 0) << name;
      EXPECT_EQ(row.share_of_library, 0) << name;
    }
  }
}

TEST(BenchOnCuda, AStepHasPhasesMemoryAndATimeLaunchedAhead) {
  const auto rows = rows_of(measure_training, little(DType::kBf16, "^(step|embed)/mix/"));
  for (const char* name :
       {"step/mix/bf16", "step/mix/launched_ahead/bf16", "step/mix/encoder/attention/backward/bf16",
        "step/mix/heads/cross_entropy/forward/bf16", "step/mix/adamw/bf16", "embed/mix/bf16"})
    EXPECT_THAT(rows, Contains(Key(name)));
  for (const char* pass : {"forward", "backward"})
    EXPECT_EQ(rows.at("step/mix/encoder/attention/" + std::string(pass) + "/bf16").ops, 2)
        << "one a layer";
  EXPECT_EQ(rows.at("step/mix/adamw/bf16").ops, 1);
  // Two moments and a master of 4 bytes, a value of 2, a gradient of 4, and more for activations.
  EXPECT_GT(rows.at("step/mix/bf16").device_bytes, 18 * 64 * (2 * 8 * 64 + 96));
  EXPECT_GT(rows.at("step/mix/launched_ahead/bf16").share_of_step, 0);
}

TEST(BenchOnCuda, FlatPassesRun) {
  const auto rows = rows_of(measure_training, little(DType::kF32, "^(adamw|gradient_norm|zero)"));
  EXPECT_EQ(rows.size(), 3u);
}

TEST(BenchOnCuda, PeaksAreThoseOfProductsAndCopies) {
  const Peaks peaks = measure_peaks(Device::cuda(), {.product = 32, .copied_bytes = kFewBytes});
  EXPECT_EQ(peaks.f32_name, "product_f32");
  EXPECT_GT(peaks.f32, 0);
  EXPECT_GT(peaks.bf16, 0);
  EXPECT_GT(peaks.copy, 0);
  EXPECT_EQ(peaks.published_bf16, 0) << "the interpreter is no card with a data sheet";
}

}  // namespace
}  // namespace lodestone::bench
