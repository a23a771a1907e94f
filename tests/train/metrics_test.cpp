#include "train/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

StepReport report_of(std::int64_t step) {
  return {.step = step,
          .batch_cells = 32,
          .batch_tokens = 4000,
          .loss = 3,
          .id_loss = 5,
          .value_loss = 2.5,
          .learning_rate = 1e-4,
          .gradient_norm = 0.5,
          .model_flops = 2e9,
          .seconds = 0.5,
          .wait_seconds = 0.01};
}

Progress progress_at(std::int64_t step) {
  return {.total_steps = 100,
          .epoch = static_cast<double>(step) / 50,
          .cells = 32 * step,
          .tokens = 4000 * step,
          .seconds_left = 3725};
}

std::vector<Json> lines_of(const std::filesystem::path& file) {
  std::vector<Json> lines;
  std::istringstream text(read_text(file));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::vector<std::int64_t> steps_of(const std::filesystem::path& file) {
  std::vector<std::int64_t> steps;
  for (const Json& line : lines_of(file)) steps.push_back(line["step"].get<std::int64_t>());
  return steps;
}

TEST(Metrics, ALineHasTheDocumentedKeysInOrder) {
  const testing::TemporaryFolder folder;
  MetricsLog(folder / "metrics.jsonl", 0, 8e9).write(report_of(10), progress_at(10));
  const Json line = lines_of(folder / "metrics.jsonl").at(0);
  std::vector<std::string> keys;
  for (const auto& [key, value] : line.items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("step", "epoch", "cells", "tokens", "loss", "id_loss", "value_loss",
                                "learning_rate", "gradient_norm", "tokens_per_s", "cells_per_s",
                                "tflops", "mfu", "data_wait_ms", "comm_ms", "memory_bytes"));
  EXPECT_EQ(line["step"], 10);
  EXPECT_EQ(line["epoch"], 0.2);
  EXPECT_EQ(line["cells"], 320);
  EXPECT_EQ(line["tokens_per_s"], 8000);
  EXPECT_EQ(line["cells_per_s"], 64);
  EXPECT_EQ(line["tflops"], 4e-3);
  EXPECT_EQ(line["mfu"], 0.5);
  EXPECT_EQ(line["data_wait_ms"], 10);
  EXPECT_TRUE(line["comm_ms"].is_null());
  EXPECT_GT(line["memory_bytes"], 1 << 20);
}

TEST(Metrics, WhatIsNotANumberIsNull) {
  const testing::TemporaryFolder folder;
  StepReport report = report_of(1);
  report.loss = std::numeric_limits<double>::quiet_NaN();
  report.gradient_norm = std::numeric_limits<double>::infinity();
  MetricsLog(folder / "metrics.jsonl", 0, 0).write(report, progress_at(1));
  const Json line = lines_of(folder / "metrics.jsonl").at(0);
  EXPECT_TRUE(line["loss"].is_null());
  EXPECT_TRUE(line["gradient_norm"].is_null());
  EXPECT_TRUE(line["mfu"].is_null());  // no peak to compare with
}

TEST(Metrics, ValidationIsARecordOfItsOwn) {
  const testing::TemporaryFolder folder;
  MetricsLog log(folder / "metrics.jsonl", 0, 0);
  log.write({.loss = 3, .id_loss = 5, .value_loss = 2.5, .cells = 7, .chosen = 90}, progress_at(50),
            50);
  EXPECT_EQ(lines_of(folder / "metrics.jsonl").at(0).dump(),
            R"({"step":50,"epoch":1.0,"validation":{"loss":3.0,"id_loss":5.0,"value_loss":2.5,)"
            R"("cells":7,"chosen":90}})");
}

TEST(Metrics, ResumingCutsOffLaterAndTornLines) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder / "metrics.jsonl";
  {
    MetricsLog log(file, 0, 0);
    for (int step = 1; step <= 4; ++step) log.write(report_of(step), progress_at(step));
    log.write(ValidationReport{}, progress_at(4), 4);
    log.write(report_of(5), progress_at(5));
  }
  std::ofstream(file, std::ios::app) << R"({"step":6,"epo)";
  ::testing::internal::CaptureStderr();
  MetricsLog(file, 4, 0).write(report_of(5), progress_at(5));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::AllOf(HasSubstr("says of steps after 4 is cut off, 1 lines"),
                               HasSubstr("its end was torn and is cut off"),
                               ::testing::Not(HasSubstr("missing"))));
  EXPECT_THAT(steps_of(file), ElementsAre(1, 2, 3, 4, 4, 5));
  MetricsLog(file, 2, 0).write(report_of(3), progress_at(3));
  EXPECT_THAT(steps_of(file), ElementsAre(1, 2, 3));
  // A hole, as file systems leave after a power cut.
  std::ofstream(file, std::ios::app) << std::string(9, '\0') + "\n{\"step\":4}\n";
  ::testing::internal::CaptureStderr();
  MetricsLog(file, 9, 0).write(report_of(10), progress_at(10));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("lines of the steps 4 to 9 are missing"));
  EXPECT_THAT(steps_of(file), ElementsAre(1, 2, 3, 10));
  MetricsLog anew(file, 0, 0);
  EXPECT_TRUE(steps_of(file).empty());
}

TEST(Metrics, ConsoleLineSaysRatesOverItsSteps) {
  ConsoleReport console(8e9);
  StepReport slow = report_of(9);
  slow.seconds = 1.5;
  slow.wait_seconds = 0.19;
  console.add(slow);
  console.add(report_of(10));
  const std::string line = console.line(progress_at(10));
  EXPECT_EQ(line,
            "step 10/100 (10 %) · loss 3.0000 (id 5.0000, value 2.5000) · norm 0.5 · rate 1.00e-04 "
            "· 4 k tokens/s · 32 cells/s · MFU 25 % · data wait 10.0 % · 1 h 02 min left");
  console.add(report_of(11));  // the window begins anew
  EXPECT_THAT(console.line(progress_at(11)), HasSubstr("64 cells/s · MFU 50 % · data wait 2.0 %"));
  ConsoleReport no_peak(0);
  no_peak.add(report_of(1));
  EXPECT_THAT(no_peak.line(progress_at(1)), ::testing::Not(HasSubstr("MFU")));
}

TEST(Metrics, Durations) {
  EXPECT_EQ(duration_text(-1), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(7800), "2 h 10 min");
  EXPECT_EQ(duration_text(3 * 86400 + 4 * 3600), "3 d 04 h");
}

}  // namespace
}  // namespace lodestone
