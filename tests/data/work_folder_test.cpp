#include "data/work_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "data/block_spool.h"
#include "engine/io/files.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::expect_error;
using testing::TemporaryFolder;

const json kJob = {{"seed", 1}};

// As a process would leave it that was killed after `state` was saved.
void leave_behind(const fs::path& target, const json& job, const json& state) {
  WorkFolder work(target, false, job);
  write_text(work.output() / "a", "half");
  work.save(state);
}

TEST(WorkFolder, IsTakenUpByTheSameJobAndBecomesTheTarget) {
  const TemporaryFolder folder;
  leave_behind(folder / "out", kJob, {{"done", 3}});
  EXPECT_FALSE(fs::exists(folder / "out"));
  ASSERT_TRUE(fs::exists(folder / "out.partial/output/a"));
  std::ofstream(staging_path(folder / "out.partial/output/b")) << "cut short";
  {
    WorkFolder work(folder / "out/", false, kJob);
    EXPECT_EQ(work.state(), (json{{"done", 3}}));
    write_text(work.output() / "b", "whole");
    work.publish();
  }
  EXPECT_TRUE(fs::exists(folder / "out/a"));
  EXPECT_EQ(read_text(folder / "out/b"), "whole");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out"), fs::directory_iterator()), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(WorkFolder, StartsAnewForAnotherJobOrADamagedAccount) {
  for (const bool damaged : {false, true}) {
    const TemporaryFolder folder;
    leave_behind(folder / "out", kJob, {{"done", 3}});
    write_text(folder / "out.partial/other", "of the old job");
    if (damaged) write_text(folder / "out.partial/job.json", "{\"job\": ");
    const WorkFolder work(folder / "out", false, damaged ? kJob : json{{"seed", 2}});
    EXPECT_TRUE(work.state().empty());
    EXPECT_TRUE(fs::is_empty(work.output()));
    EXPECT_FALSE(fs::exists(work.path() / "other"));
  }
}

TEST(WorkFolder, LeavesNothingWithoutFinishedWorkOrWhenDiscarded) {
  const TemporaryFolder folder;
  { const WorkFolder work(folder / "out", false, kJob); }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  {
    WorkFolder work(folder / "out", false, kJob);
    work.save({{"done", 3}});
    work.discard();
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(WorkFolder, BelongsToOneProcessAtATime) {
  const TemporaryFolder folder;
  WorkFolder work(folder / "out", false, kJob);
  work.save({{"done", 3}});
  expect_error(ErrorKind::kInvalidArgument, "another process is writing",
               [&] { WorkFolder(folder / "out", false, kJob); });
  EXPECT_TRUE(fs::exists(folder / "out.partial/job.json"));
}

TEST(WorkFolder, AnExistingTargetIsKeptUnlessReplaced) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "out");
  write_text(folder / "out/old", "old");
  expect_error(ErrorKind::kInvalidArgument, "exists already",
               [&] { WorkFolder(folder / "out", false, kJob); });
  {
    WorkFolder work(folder / "out", true, kJob);
    write_text(work.output() / "new", "new");
    EXPECT_TRUE(fs::exists(folder / "out/old"));
    work.publish();
  }
  EXPECT_FALSE(fs::exists(folder / "out/old"));
  EXPECT_TRUE(fs::exists(folder / "out/new"));
}

TEST(BackgroundSaves, AreMadeAfterTheirSyncAndRethrow) {
  const TemporaryFolder folder;
  WorkFolder work(folder / "out", false, kJob);
  int synced = 0;
  {
    BackgroundSaves saves(work, 10, [&] { ++synced; });
    saves.offer(9, {{"done", 9}});
    saves.offer(12, {{"done", 12}});
    saves.finish();
  }
  EXPECT_EQ(synced, 1);
  EXPECT_EQ(work.state(), (json{{"done", 12}}));
  BackgroundSaves fails(work, 1, [] { throw std::runtime_error("no disk"); });
  fails.offer(20, {{"done", 20}});
  EXPECT_THROW(fails.finish(), std::runtime_error);
  EXPECT_EQ(work.state(), (json{{"done", 12}}));
}

CellBlock block_of(std::int64_t first, std::vector<std::int32_t> genes) {
  CellBlock block;
  block.first_cell = first;
  block.offsets = {0, 1, static_cast<std::int64_t>(genes.size())};
  block.counts.assign(genes.size(), 2.5f);
  block.genes = std::move(genes);
  return block;
}

TEST(BlockSpool, ContinuesAfterAMarkAndKnowsDamage) {
  const TemporaryFolder folder;
  SpoolMark mark;
  {
    BlockSpool spool(folder / "spool");
    spool.append(block_of(0, {4, 1, 5}));
    mark = spool.mark();
    spool.append(block_of(2, {9}));  // lost: no mark speaks of it
  }
  {
    BlockSpool spool(folder / "spool");
    ASSERT_TRUE(spool.continue_from(mark));
    EXPECT_EQ(fs::file_size(folder / "spool"), mark.bytes);
    spool.append(block_of(2, {7, 8}));
    std::vector<std::int32_t> genes;
    spool.for_each([&](const CellBlock& block) {
      EXPECT_EQ(block.cells(), 2);
      EXPECT_EQ(block.counts.at(0), 2.5f);
      genes.insert(genes.end(), block.genes.begin(), block.genes.end());
    });
    EXPECT_EQ(genes, (std::vector<std::int32_t>{4, 1, 5, 7, 8}));
    mark = spool.mark();
  }
  {
    std::fstream file(folder / "spool", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(mark.bytes) - 4);
    file.put(1);
  }
  BlockSpool damaged(folder / "spool");
  EXPECT_FALSE(damaged.continue_from(mark));
  EXPECT_EQ(damaged.mark().blocks, 0);
  fs::resize_file(folder / "spool", 20);
  EXPECT_FALSE(damaged.continue_from(mark));
}

}  // namespace
}  // namespace lodestone
