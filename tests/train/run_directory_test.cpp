#include "train/run_directory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/core/host_name.h"
#include "engine/io/files.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using Opening = RunDirectory::Opening;
using testing::expect_error;

TEST(RunDirectory, OneHolderAtATime) {
  const testing::TemporaryFolder folder;
  {
    const RunDirectory held(folder / "a/run", Opening::kNew);
    expect_error(ErrorKind::kInvalidArgument,
                 fmt::format("process {} on {} works in this run", ::getpid(), host_name()),
                 [&] { RunDirectory(folder / "a/run", Opening::kNew); });
    write_text(held.config(), "");
  }
  const RunDirectory again(folder / "a/run", Opening::kResume);
}

// As a process that ended without a word leaves it: the file, but not the lock.
TEST(RunDirectory, AStaleLockFileIsNoLock) {
  const testing::TemporaryFolder folder;
  write_text(folder / ".lock", "process 1 on nowhere\n");
  const RunDirectory run(folder.path(), Opening::kNew);
  EXPECT_EQ(read_text(folder / ".lock"),
            fmt::format("process {} on {}\n", ::getpid(), host_name()));
}

TEST(RunDirectory, LeavesNothingWhenNoRunBegan) {
  const testing::TemporaryFolder folder;
  { const RunDirectory run(folder / "run", Opening::kResumeOrNew); }
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(RunDirectory, OpensWhatFits) {
  const testing::TemporaryFolder folder;
  expect_error(ErrorKind::kInvalidArgument, "holds no run to resume",
               [&] { RunDirectory(folder.path(), Opening::kResume); });
  write_text(folder / "config.toml", "");
  expect_error(ErrorKind::kInvalidArgument, "holds a run already",
               [&] { RunDirectory(folder.path(), Opening::kNew); });
  EXPECT_TRUE(RunDirectory(folder.path(), Opening::kResumeOrNew).holds_run());
  expect_error(ErrorKind::kInvalidArgument, "is a file",
               [&] { RunDirectory(folder / "config.toml", Opening::kNew); });
}

TEST(RunDirectory, RemovesWhatKilledProcessesLeft) {
  const testing::TemporaryFolder folder;
  write_text(folder / "config.toml", "");
  std::ofstream(staging_path(folder / "metrics.jsonl")) << "half";
  const RunDirectory run(folder.path(), Opening::kResume);
  EXPECT_FALSE(fs::exists(run.metrics()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
}

}  // namespace
}  // namespace lodestone
