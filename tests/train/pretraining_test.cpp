#include "train/pretraining.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/priors.h"
#include "data/token_directory.h"
#include "engine/core/host_name.h"
#include "engine/core/threads.h"
#include "engine/io/files.h"
#include "model/model_directory.h"
#include "tests/data/token_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using ::testing::HasSubstr;

constexpr std::int64_t kVocabulary = 80;

void write_cells(const fs::path& out, std::uint32_t seed) {
  std::vector<testing::TokenizedCell> cells;
  std::mt19937 random(seed);
  for (int cell = 0; cell < 60; ++cell) {
    testing::TokenizedCell tokens;
    std::vector<std::uint32_t> genes(kVocabulary - kSpecialTokens);
    std::iota(genes.begin(), genes.end(), std::uint32_t{kSpecialTokens});
    std::shuffle(genes.begin(), genes.end(), random);
    genes.resize(8 + random() % 25);
    for (std::size_t rank = 0; rank < genes.size(); ++rank)
      tokens.values.push_back(4.0f / static_cast<float>(rank + 1));
    tokens.tokens = genes;
    tokens.species = cell % 3 == 0 ? Species::kMouse : Species::kHuman;
    tokens.cell_id = fmt::format("cell-{}", cell);
    cells.push_back(std::move(tokens));
  }
  testing::write_cells(out, {.cells_per_shard = 25, .seed = 1, .vocabulary_size = kVocabulary},
                       cells);
}

class Pretraining : public ::testing::Test {
 protected:
  Pretraining() {
    set_thread_count(2);
    write_cells(folder_ / "tokens", 1);
  }

  // 48 or so training cells: 6 steps an epoch, of several micro-batches each.
  TrainConfig settings(std::int64_t steps) const {
    TrainConfig config;
    config.data = folder_ / "tokens";
    config.steps = steps;
    config.held_out = 0.2;
    config.validate_every = 15;
    config.save_every = 10;
    config.seed = 7;
    config.model.hidden = 32;
    config.model.layers = 1;
    config.model.heads = 1;
    config.model.intermediate = 64;
    config.model.max_positions = 30;
    config.model.hidden_dropout = config.model.attention_dropout = 0.1;
    config.loader.batch_cells = 8;
    config.loader.max_length = 30;
    config.loader.micro_batch_tokens = 60;
    config.schedule = {.shape = "linear", .peak_rate = 1e-3, .warmup_steps = 5};
    return config;
  }
  fs::path run(const std::string& name) const { return folder_ / name; }

  testing::TemporaryFolder folder_;
};

// What metrics.jsonl says of the numbers that do not depend on time.
std::vector<std::string> numbers_of(const fs::path& run) {
  std::vector<std::string> lines;
  std::istringstream text(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(line);
    for (const char* key :
         {"tokens_per_s", "cells_per_s", "tflops", "mfu", "data_wait_ms", "memory_bytes"})
      json.erase(key);
    lines.push_back(json.dump());
  }
  return lines;
}

std::int64_t steps_done(const fs::path& run) {
  const std::vector<std::string> lines = numbers_of(run);
  return lines.empty() ? 0 : nlohmann::json::parse(lines.back())["step"].get<std::int64_t>();
}

// Asks to stop once the run has done that many steps.
std::function<bool()> after(std::int64_t steps, const fs::path& run) {
  return [=] { return steps_done(run) >= steps; };
}

void expect_same_run(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(hash_file(a / "model/model.safetensors"), hash_file(b / "model/model.safetensors"));
  for (const char* file : {"masters.safetensors", "first_moments.safetensors",
                           "second_moments.safetensors", "state.json"})
    EXPECT_EQ(hash_file(a / "checkpoints/step-00000040" / file),
              hash_file(b / "checkpoints/step-00000040" / file))
        << file;
  EXPECT_EQ(numbers_of(a), numbers_of(b));
}

TEST_F(Pretraining, SeventeenAndTwentyThreeStepsAreForty) {
  const PretrainingResult whole = pretrain(settings(40), run("straight"), false);
  EXPECT_EQ(whole.steps, 40);
  EXPECT_FALSE(whole.stopped);
  EXPECT_TRUE(whole.validation);

  const PretrainingResult part =
      pretrain(settings(40), run("stopped"), false, after(17, run("stopped")));
  EXPECT_EQ(part.steps, 17);
  EXPECT_TRUE(part.stopped);
  EXPECT_FALSE(fs::exists(run("stopped") / "model"));
  EXPECT_EQ(pretrain({}, run("stopped"), true).steps, 40);
  expect_same_run(run("straight"), run("stopped"));

  // A crash after step 17 goes back to the checkpoint of step 10.
  EXPECT_THROW(pretrain(settings(40), run("crashed"), false,
                        [&] {
                          if (steps_done(run("crashed")) == 17) throw std::runtime_error("crash");
                          return false;
                        }),
               std::runtime_error);
  EXPECT_EQ(pretrain(settings(40), run("crashed"), true).steps, 40);
  expect_same_run(run("straight"), run("crashed"));

  const PretrainingResult again = pretrain({}, run("straight"), true);
  EXPECT_FALSE(again.last);
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Pretraining, LeavesARunDirectory) {
  ::testing::internal::CaptureStderr();
  pretrain(settings(12), run("run"), false);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("switched off, because no priors were given: promoter, co_exp, "
                        "gene_family, peca_grn"));
  const TrainConfig resolved = read_train_config(run("run") / "config.toml");
  EXPECT_EQ(resolved.model.vocabulary, kVocabulary);
  EXPECT_EQ(resolved.seed, 7u);
  EXPECT_TRUE(resolved.model.priors().empty());
  EXPECT_TRUE(fs::path(resolved.data).is_absolute());
  EXPECT_EQ(read_text(run("run") / "checkpoints/latest"), "step-00000012\n");
  EXPECT_EQ(numbers_of(run("run")).size(), 13u);  // and the validation at the end
  const auto model = load_model(run("run") / "model", DType::kF32);
  EXPECT_EQ(model->network.config().hidden, 32);
}

TEST_F(Pretraining, RunsOfTwoProcessesDoNotMix) {
  bool refused = false;
  pretrain(settings(8), run("run"), false, [&] {
    expect_error(ErrorKind::kInvalidArgument,
                 fmt::format("process {} on {} works in this run", ::getpid(), host_name()),
                 [&] { pretrain({}, run("run"), true); });
    return refused = true;
  });
  EXPECT_TRUE(refused);
  expect_error(ErrorKind::kInvalidArgument, "holds a run already",
               [&] { pretrain(settings(8), run("run"), false); });
  expect_error(ErrorKind::kInvalidArgument, "holds no run to resume",
               [&] { pretrain({}, run("nothing"), true); });
  EXPECT_FALSE(fs::exists(run("nothing")));
}

// A job that is started anew after every stop needs no other command for its first start.
TEST_F(Pretraining, ResumingWhereThereIsNothingBegins) {
  EXPECT_TRUE(pretrain(settings(8), run("run"), true, after(3, run("run"))).stopped);
  EXPECT_EQ(pretrain(settings(8), run("run"), true).steps, 8);
}

// Two micro-batches and more; the second time it is whole.
TEST_F(Pretraining, AStopWithinAValidationIsHonoured) {
  pretrain(settings(40), run("straight"), false);
  int asked = 0;  // since step 15 was done
  const PretrainingResult part = pretrain(settings(40), run("stopped"), false, [&] {
    return steps_done(run("stopped")) == 15 && ++asked >= 2;
  });
  EXPECT_TRUE(part.stopped);
  EXPECT_EQ(part.steps, 15);
  EXPECT_FALSE(part.validation);
  EXPECT_EQ(pretrain({}, run("stopped"), true).steps, 40);
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Pretraining, SavingInTheForegroundIsTheSame) {
  TrainConfig config = settings(40);
  config.tensorboard = false;
  config.background_save = false;
  pretrain(config, run("foreground"), false);
  EXPECT_FALSE(fs::exists(run("foreground") / "tensorboard"));
  pretrain(settings(40), run("background"), false);
  expect_same_run(run("foreground"), run("background"));
}

TEST_F(Pretraining, ContinuesOnlyTheSameRun) {
  pretrain(settings(20), run("run"), false, after(3, run("run")));
  TrainConfig other = settings(20);
  other.model.layers = 2;
  other.schedule.peak_rate = 2e-3;
  expect_error(ErrorKind::kInvalidArgument,
               "(model.layers: 1 -> 2; schedule.peak_rate: 0.001 -> 0.002)",
               [&] { pretrain(other, run("run"), true); });
  write_cells(folder_ / "others", 2);
  other = settings(20);
  other.data = folder_ / "others";
  expect_error(ErrorKind::kInvalidArgument, "`data` has other contents",
               [&] { pretrain(other, run("run"), true); });
  other = settings(20);
  other.report_every = 1;
  fs::rename(folder_ / "tokens", folder_ / "moved");
  other.data = folder_ / "moved";
  EXPECT_EQ(pretrain(other, run("run"), true).steps, 20);
}

TEST_F(Pretraining, SettingsThatDoNotFitAreRefused) {
  TrainConfig config = settings(5);
  expect_error(ErrorKind::kInvalidArgument, "warmup_steps is 5 but the run has only 5 steps",
               [&] { pretrain(config, run("a"), false); });
  config = settings(20);
  config.loader.max_length = 31;
  expect_error(ErrorKind::kInvalidArgument, "loader.max_length is 31",
               [&] { pretrain(config, run("a"), false); });
  config = settings(20);
  config.model.vocabulary = 79;
  expect_error(ErrorKind::kBadInput, "has 79 tokens, but the cells were written with",
               [&] { pretrain(config, run("a"), false); });
  EXPECT_EQ(pretrain(settings(20), run("a"), false, after(1, run("a"))).steps,
            1);  // nothing stands in the way
}

TEST_F(Pretraining, StartsFromTheWeightsOfAModel) {
  pretrain(settings(12), run("first"), false);
  TrainConfig config = settings(20);
  config.model = {};
  config.init = run("first") / "model";
  pretrain(config, run("second"), false,
           after(1, run("second")));  // whose warm-up begins at rate 0
  EXPECT_EQ(hash_file(run("first") / "checkpoints/step-00000012/masters.safetensors"),
            hash_file(run("second") / "checkpoints/step-00000001/masters.safetensors"));
  EXPECT_EQ(read_train_config(run("second") / "config.toml").model.hidden, 32);
  EXPECT_EQ(pretrain({}, run("second"), true).steps, 20);
}

TEST_F(Pretraining, UsesThePriorsThatAreThere) {
  PriorTable prior;
  prior.name = "co_exp";
  prior.values = Tensor::zeros({kVocabulary, 16}, DType::kF32, Device::cpu());
  for (std::size_t i = 0; i < prior.values.host<float>().size(); ++i)
    prior.values.host<float>()[i] = 0.1f * static_cast<float>(i % 7);
  prior.present = Tensor::from(std::vector<std::uint8_t>(kVocabulary, 1));
  save_priors(folder_ / "priors.h5", {prior});
  TrainConfig config = settings(8);
  config.priors = folder_ / "priors.h5";
  config.model.prior_width = 0;
  config.dtype = "bf16";
  pretrain(config, run("run"), false);
  const auto model = load_model(run("run") / "model", DType::kF32);
  EXPECT_EQ(model->network.config().priors(), std::vector<std::string>{"co_exp"});
  EXPECT_EQ(model->network.config().prior_width, 16);
  const Tensor& kept = model->network.prior("co_exp");
  EXPECT_TRUE(std::ranges::equal(kept.host<float>(), std::as_const(prior.values).host<float>()));
}

}  // namespace
}  // namespace lodestone
