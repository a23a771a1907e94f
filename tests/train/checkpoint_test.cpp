#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::expect_error;
using ::testing::UnorderedElementsAre;

// A store of two parameters and its optimizer after some updates.
struct Training {
  explicit Training(std::uint64_t seed, std::int64_t columns = 5) {
    store.declare("weight", {3, columns}, Init::normal(1), Decay::kYes);
    store.declare("bias", {7}, Init::normal(1), Decay::kNo);
    store.materialize(Device::cpu(), DType::kBf16, seed);
    optimizer.emplace(store, AdamWConfig{});
  }
  void update() {
    Tensor gradients = store.gradients();
    for (const Parameter& p : store.parameters())
      for (std::int64_t i = p.offset; i < p.offset + p.numel(); ++i)
        gradients.host<float>()[static_cast<std::size_t>(i)] = 0.01f * static_cast<float>(i % 13);
    optimizer->measure_gradients();
    optimizer->update(1e-2);
  }
  TrainingArrays arrays() const { return arrays_of(store, *optimizer); }
  ParameterStore store;
  std::optional<AdamW> optimizer;
};

template <class T>
std::vector<T> elements(const Tensor& tensor) {
  const auto values = tensor.host<T>();
  return {values.begin(), values.end()};
}

RunState state_at(std::int64_t step) {
  RunState state;
  state.step = step;
  state.loader = {.epoch = 2, .step = step % 7};
  state.cells = 8 * step;
  state.tokens = 100 * step;
  state.threads = 3;
  state.input_hashes = {{"data", "0123"}, {"vocab", "4567"}};
  return state;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

void flip_a_byte(const fs::path& file) {
  std::string text = read_text(file);
  text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
  std::ofstream(file, std::ios::binary) << text;
}

TEST(Checkpoint, RestoresEveryBit) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  EXPECT_FALSE(checkpoints.newest());
  Training saved(1);
  for (int i = 0; i < 3; ++i) saved.update();
  TrainConfig config;
  config.steps = 40;
  config.schedule.peak_rate = 0.1 + 0.2;
  checkpoints.save(saved.arrays(), state_at(17), config);

  const Checkpoint found = checkpoints.newest().value();
  EXPECT_EQ(found.path, folder / "checkpoints/step-00000017");
  EXPECT_EQ(read_text(folder / "checkpoints/latest"), "step-00000017\n");
  EXPECT_EQ(found.state.step, 17);
  EXPECT_EQ(found.state.loader.epoch, 2);
  EXPECT_EQ(found.state.loader.step, 3);
  EXPECT_EQ(found.state.cells, 136);
  EXPECT_EQ(found.state.tokens, 1700);
  EXPECT_EQ(found.state.threads, 3);
  EXPECT_EQ(found.state.input_hashes, state_at(17).input_hashes);
  EXPECT_TRUE(forbidden_changes(config, found.config).empty());

  Training restored(2);
  restore(found, restored.store, *restored.optimizer);
  EXPECT_EQ(restored.optimizer->updates(), 3);
  for (Training* each : {&saved, &restored}) each->update();
  EXPECT_EQ(elements<float>(saved.store.masters()), elements<float>(restored.store.masters()));
  EXPECT_EQ(elements<float>(saved.store.values().cast(DType::kF32)),
            elements<float>(restored.store.values().cast(DType::kF32)));
}

TEST(Checkpoint, KeepsTheNewest) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 3);
  Training training(1);
  for (int step = 10; step <= 60; step += 10)
    checkpoints.save(training.arrays(), state_at(step), {});
  EXPECT_THAT(names_in(folder / "checkpoints"),
              UnorderedElementsAre("latest", "step-00000040", "step-00000050", "step-00000060"));
}

// Damages one file of the newer of two checkpoints.
template <class Damage>
void expect_fall_back(const char* file, Damage&& damage) {
  SCOPED_TRACE(file);
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  const Training training(1);
  for (const int step : {10, 20}) checkpoints.save(training.arrays(), state_at(step), {});
  damage(folder.path() / "checkpoints/step-00000020" / file);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(checkpoints.newest().value().state.step, 10);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("step-00000020 is passed over"));
}

TEST(Checkpoint, FallsBackFromADamagedOne) {
  for (const char* file : {"masters.safetensors", "second_moments.safetensors", "state.json"})
    expect_fall_back(file, flip_a_byte);
  for (const char* file : {"first_moments.safetensors", "config.toml", "hashes.json"})
    expect_fall_back(file, [](const fs::path& path) { fs::remove(path); });
}

TEST(Checkpoint, ADamagedOneIsReplacedWhenItsStepComesAgain) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  const Training training(1);
  for (const int step : {10, 20}) checkpoints.save(training.arrays(), state_at(step), {});
  flip_a_byte(folder / "checkpoints/step-00000020/masters.safetensors");
  checkpoints.save(training.arrays(), state_at(15), {});
  EXPECT_TRUE(fs::exists(folder / "checkpoints/step-00000010"));  // the second newest good one
  checkpoints.save(training.arrays(), state_at(20), {});
  EXPECT_EQ(checkpoints.newest().value().state.step, 20);
}

TEST(Checkpoint, DamagedOnesDoNotCountAmongThoseKept) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  const Training training(1);
  for (const int step : {10, 20}) checkpoints.save(training.arrays(), state_at(step), {});
  flip_a_byte(folder / "checkpoints/step-00000020/first_moments.safetensors");
  checkpoints.save(training.arrays(), state_at(30), {});
  EXPECT_TRUE(fs::exists(folder / "checkpoints/step-00000010"));
  checkpoints.save(training.arrays(), state_at(40), {});
  EXPECT_THAT(names_in(folder / "checkpoints"),
              UnorderedElementsAre("latest", "step-00000030", "step-00000040"));
}

TEST(Checkpoint, RemembersAValidationThatIsDue) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  const Training training(1);
  RunState state = state_at(10);
  state.validation_pending = true;
  checkpoints.save(training.arrays(), state, {});
  EXPECT_TRUE(checkpoints.newest().value().state.validation_pending);
}

TEST(Checkpoint, NoneThatIsGoodIsAnError) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  Training training(1);
  checkpoints.save(training.arrays(), state_at(10), {});
  flip_a_byte(folder / "checkpoints/step-00000010/masters.safetensors");
  expect_error(ErrorKind::kBadInput, "none of the 1 checkpoints can be used",
               [&] { checkpoints.newest(); });
}

TEST(Checkpoint, AKilledWriterLeavesTheLastGoodOne) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  Training training(1);
  checkpoints.save(training.arrays(), state_at(10), {});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // dies in the middle of writing step 20
    publish_directory(folder / "checkpoints/step-00000020", true, [&](const fs::path& staged) {
      fs::copy_file(folder / "checkpoints/step-00000010/state.json", staged / "state.json");
      ::kill(::getpid(), SIGKILL);
    });
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(checkpoints.newest().value().state.step, 10);
  EXPECT_EQ(names_in(folder / "checkpoints").size(), 3u);  // what was staged is still there
  checkpoints.remove_unfinished();
  EXPECT_THAT(names_in(folder / "checkpoints"), UnorderedElementsAre("latest", "step-00000010"));
}

TEST(Checkpoint, OfAnotherModelIsRefused) {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints", 2);
  Training training(1), wider(1, 6);
  checkpoints.save(training.arrays(), state_at(10), {});
  expect_error(ErrorKind::kBadInput, "weight is f32 [3, 5], the model's is f32 [3, 6]",
               [&] { restore(checkpoints.newest().value(), wider.store, *wider.optimizer); });
}

TEST(TrainConfig, ForbiddenChangesAreNamed) {
  TrainConfig before, now;
  now.report_every = 1;
  now.save_every = 7;
  now.loader.prefetch = 0;
  now.data = "elsewhere";
  EXPECT_TRUE(forbidden_changes(before, now).empty());
  now.loader.batch_cells = 64;
  now.steps = 12;
  EXPECT_THAT(forbidden_changes(before, now),
              ElementsAre("steps: 0 -> 12", "loader.batch_cells: 32 -> 64"));
}

TEST(TrainConfig, OverlaidTakesWhatIsNotTheDefault) {
  TrainConfig base, given;
  base.steps = 12;
  base.schedule.shape = "cosine";
  base.model.use_promoter = false;
  given.report_every = 3;
  given.schedule.shape = "constant";
  const TrainConfig both = overlaid(base, given);
  EXPECT_EQ(both.steps, 12);
  EXPECT_FALSE(both.model.use_promoter);
  EXPECT_EQ(both.report_every, 3);
  EXPECT_EQ(both.schedule.shape, "constant");
}

TEST(TrainConfig, FaultsAreAllNamed) {
  TrainConfig config;
  config.held_out = 1;
  config.keep_last = 1;
  config.report_every = 0;
  expect_error(ErrorKind::kInvalidArgument,
               "held_out must be in [0, 1), is 1; keep_last must be at least 2, is 1; "
               "report_every must be at least 1, is 0",
               [&] { validate(config); });
  config = {};
  config.dtype = "f16";
  expect_error(ErrorKind::kInvalidArgument, "dtype must be f32 or bf16", [&] { validate(config); });
}

}  // namespace
}  // namespace lodestone
