#include "train/tensorboard.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "tests/testing/event_reader.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;

using Shown = std::vector<std::string>;
using testing::event_files;
using testing::shown_scalars;

// A Python that has the package: LODESTONE_TENSORBOARD_PYTHON or the tests' own.
std::string python_with_tensorboard() {
  for (const char* name : {"LODESTONE_TENSORBOARD_PYTHON", "LODESTONE_PYTHON"})
    if (const char* python = std::getenv(name); python && *python)
      if (std::system(fmt::format("'{}' -c 'import tensorboard' 2>/dev/null", python).c_str()) == 0)
        return python;
  return "";
}

Shown shown_by_tensorboard(const std::string& python, const fs::path& folder) {
  const std::string command =
      fmt::format("'{}' tests/train/tensorboard_peer.py '{}' 2>/dev/null", python, folder.string());
  std::FILE* pipe = ::popen(command.c_str(), "r");
  Shown lines;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe))
    lines.emplace_back(line.data(), std::strlen(line.data()) - 1);
  EXPECT_EQ(::pclose(pipe), 0);
  return lines;
}

StepReport step_report(std::int64_t step, double loss) {
  return {.step = step,
          .batch_cells = 4,
          .batch_tokens = 400,
          .loss = loss,
          .id_loss = 2 * loss,
          .value_loss = 0.25,
          .learning_rate = 1e-4,
          .gradient_norm = 3,
          .seconds = 0.5,
          .wait_seconds = 0.125};
}

class TensorBoard : public ::testing::Test {
 protected:
  // Steps 1 to 5 and a validation, then again from 3 on.
  void write_resumed_run() {
    {
      TensorBoardLog log(folder_.path(), 0);
      for (int step = 1; step <= 5; ++step) log.write(step_report(step, 10 + step));
      log.write(ValidationReport{.loss = 7, .id_loss = 8, .value_loss = 9}, 4);
      log.flush();
    }
    TensorBoardLog log(folder_.path(), 3);
    for (int step = 4; step <= 6; ++step) log.write(step_report(step, 20 + step));
    log.write(ValidationReport{.loss = 0.5, .id_loss = 1.5, .value_loss = 2.5}, 6);
  }
  Shown expected_losses() const {
    return {"train/loss 1 11", "train/loss 2 12", "train/loss 3 13",
            "train/loss 4 24", "train/loss 5 25", "train/loss 6 26"};
  }
  static Shown only(const Shown& lines, const std::string& tag) {
    Shown some;
    for (const std::string& line : lines)
      if (line.starts_with(tag + " ")) some.push_back(line);
    return some;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(TensorBoard, AResumedRunVoidsTheStepsItDoesAgain) {
  write_resumed_run();
  EXPECT_EQ(event_files(folder_.path()).size(), 2U);
  const Shown lines = shown_scalars(folder_.path());
  EXPECT_EQ(only(lines, "train/loss"), expected_losses());
  EXPECT_EQ(only(lines, "validation/loss"), Shown{"validation/loss 6 0.5"});
  EXPECT_EQ(only(lines, "speed/tokens_per_s").at(0), "speed/tokens_per_s 1 800");
  EXPECT_EQ(only(lines, "speed/data_wait_ms").at(5), "speed/data_wait_ms 6 125");
  EXPECT_EQ(lines.size(), 6U * 8 + 3);
}

TEST_F(TensorBoard, ItsOwnReaderSeesTheSame) {
  const std::string python = python_with_tensorboard();
  if (python.empty())
    GTEST_SKIP()
        << "no Python with the package tensorboard; LODESTONE_TENSORBOARD_PYTHON may name one";
  write_resumed_run();
  EXPECT_EQ(shown_by_tensorboard(python, folder_.path()), shown_scalars(folder_.path()));
}

TEST_F(TensorBoard, TornRecordsAreCutOff) {
  { TensorBoardLog(folder_.path(), 0).write(step_report(1, 11)); }
  const fs::path file = event_files(folder_.path()).front();
  const auto whole = fs::file_size(file);
  fs::resize_file(file, whole + 40);  // zeros
  { TensorBoardLog(folder_.path(), 1).write(step_report(2, 12)); }
  EXPECT_EQ(fs::file_size(file), whole);
  fs::resize_file(file, whole - 3);
  TensorBoardLog(folder_.path(), 0).write(step_report(1, 31));
  EXPECT_EQ(only(shown_scalars(folder_.path()), "train/loss"), Shown{"train/loss 1 31"});
}

}  // namespace
}  // namespace lodestone
