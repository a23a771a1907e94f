#include "train/checkpoint_writer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;

struct Training {
  Training() {
    store.declare("weight", {300, 100}, Init::normal(1), Decay::kYes);
    store.materialize(Device::cpu(), DType::kF32, 1);
    optimizer.emplace(store, AdamWConfig{});
  }
  TrainingArrays arrays() const { return arrays_of(store, *optimizer); }
  float& first_weight() {
    Tensor masters = store.masters();
    return masters.host<float>()[0];
  }
  ParameterStore store;
  std::optional<AdamW> optimizer;
};

RunState at_step(std::int64_t step) {
  RunState state;
  state.step = step;
  return state;
}

float saved_weight(const CheckpointFolder& folder) {
  Training restored;
  restore(folder.newest().value(), restored.store, *restored.optimizer);
  return restored.first_weight();
}

class CheckpointWriting : public ::testing::TestWithParam<bool> {
 protected:
  CheckpointFolder folder() const { return {temporary_ / "checkpoints", 2}; }
  // Nothing can be written below a file.
  void stand_in_the_way() const { std::ofstream(temporary_ / "checkpoints") << "in the way"; }
  testing::TemporaryFolder temporary_;
};

TEST_P(CheckpointWriting, SavesWhatWasThereWhenItBegan) {
  Training training;
  CheckpointWriter writer(folder(), GetParam(), std::nullopt);
  EXPECT_FALSE(writer.saved());
  for (const int step : {10, 20, 30}) {
    training.first_weight() = static_cast<float>(step);
    writer.start(training.arrays(), at_step(step), {});
    training.first_weight() = -1;  // the training goes on
  }
  writer.wait();
  EXPECT_EQ(writer.saved(), 30);
  EXPECT_EQ(folder().newest().value().state.step, 30);
  EXPECT_EQ(saved_weight(folder()), 30);
}

TEST_P(CheckpointWriting, ThrowsWhatASaveMet) {
  stand_in_the_way();
  Training training;
  CheckpointWriter writer(folder(), GetParam(), 5);
  testing::expect_error(ErrorKind::kIo, "checkpoints", [&] {
    writer.start(training.arrays(), at_step(10), {});
    writer.wait();
  });
  EXPECT_EQ(writer.saved(), 5);
  fs::remove(temporary_ / "checkpoints");
  writer.start(training.arrays(), at_step(20), {});
  writer.wait();
  EXPECT_EQ(writer.saved(), 20);
}

INSTANTIATE_TEST_SUITE_P(BothWays, CheckpointWriting, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "Background" : "Foreground"; });

TEST(CheckpointWriter, CheckDoesNotWait) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "checkpoints") << "in the way";
  Training training;
  CheckpointWriter writer({folder / "checkpoints", 2}, true, std::nullopt);
  writer.check();
  writer.start(training.arrays(), at_step(10), {});
  const auto until_it_throws = [&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      writer.check();
      std::this_thread::yield();
    }
  };
  testing::expect_error(ErrorKind::kIo, "checkpoints", until_it_throws);
  writer.check();  // said once
}

}  // namespace
}  // namespace lodestone
