// import, infer, export and inspect on the published fixture, through the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "tests/testing/golden.h"
#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using lodestone::testing::golden_directory;
using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr double kTolerance = 1e-5;

class InferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
    if (!fs::exists(golden_directory() / "golden.h5"))
      GTEST_SKIP() << golden_directory() << " holds no fixture";
    model_ = (folder_ / "model").string();
    imported_ = run_lodestone({"import", golden_directory().string(), "--out", model_, "--json"});
    ASSERT_EQ(imported_.exit, 0) << imported_.err;
  }

  hdf5::File golden() const { return hdf5::File::open(golden_directory() / "golden.h5"); }

  // The fixture's inputs as `infer` wants them: at the root, masked with labels or clean.
  fs::path batch_file(const std::string& name, bool masked) const {
    const hdf5::File fixture = golden();
    const hdf5::Group inputs = fixture.group("inputs");
    hdf5::File file = hdf5::File::create(folder_ / name);
    const auto copy = [&]<class T>(const std::string& from, const std::string& to, T) {
      const hdf5::Dataset source = inputs.dataset(from);
      const std::vector<T> values = source.read<T>();
      file.create_numbers<T>(to, source.shape(), values);
    };
    copy(masked ? "masked_input_ids" : "input_ids", "input_ids", std::int64_t{});
    copy(masked ? "masked_values" : "values", "values", float{});
    copy("attention_mask", "attention_mask", std::int64_t{});
    copy("species", "species", std::int64_t{});
    if (masked) {
      copy("labels", "labels", std::int64_t{});
      copy("label_values", "label_values", float{});
    }
    file.flush();
    return folder_ / name;
  }
  Outcome infer(const fs::path& input, const fs::path& output,
                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"infer",        "--model",  model_,         "--input",
                                          input.string(), "--output", output.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_lodestone(arguments);
  }

  TemporaryFolder folder_;
  std::string model_;
  Outcome imported_;
};

// ||a - b|| / ||b|| over the rows [b, position] where the mask has a one; `lead` rows of each cell
// stand before its genes. Elsewhere `a` must be zero.
double relative_error(const hdf5::Dataset& a, const hdf5::Dataset& b,
                      const std::vector<std::int64_t>& mask, std::int64_t length,
                      std::int64_t lead) {
  EXPECT_EQ(a.shape(), b.shape());
  const std::vector<double> left = a.read<double>(), right = b.read<double>();
  const std::int64_t cells = a.shape()[0], rows = a.shape()[1], width = a.size() / (cells * rows);
  double difference = 0, norm = 0, padding = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t cell = i / (rows * width), row = i / width % rows - lead;
    if (row >= 0 && mask[static_cast<std::size_t>(cell * length + row)] == 0) {
      padding += std::abs(left[at]);
      continue;
    }
    difference += (left[at] - right[at]) * (left[at] - right[at]);
    norm += right[at] * right[at];
  }
  EXPECT_EQ(padding, 0) << a.where();
  EXPECT_GT(norm, 0) << b.where();
  return std::sqrt(difference / norm);
}

void expect_golden(const hdf5::Group& result, const hdf5::Group& expected,
                   const hdf5::Group& inputs) {
  const auto mask = inputs.dataset("attention_mask").read<std::int64_t>();
  const std::int64_t length = inputs.dataset("attention_mask").shape()[1];
  int compared = 0;
  for (const std::string& name : expected.children()) {
    if (name.ends_with("loss")) {
      const double reference = expected.dataset(name).read<double>()[0];
      EXPECT_NEAR(result.dataset(name).read<double>()[0], reference,
                  kTolerance * std::max(1.0, std::abs(reference)))
          << name;
    } else {
      EXPECT_LE(relative_error(result.dataset(name), expected.dataset(name), mask, length,
                               name.starts_with("hidden_") ? 1 : 0),
                kTolerance)
          << name;
    }
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST_F(InferTest, MaskedInputGivesTheGoldenNumbers) {
  const fs::path output = folder_ / "masked_out.h5";
  const Outcome outcome = infer(batch_file("masked.h5", true), output, {"--logits", "--json"});
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  const hdf5::File fixture = golden();
  expect_golden(hdf5::File::open(output), fixture.group("outputs/masked"), fixture.group("inputs"));
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_NEAR(json["loss"].get<double>(), fixture.dataset("outputs/masked/loss").read<double>()[0],
              kTolerance);
}

TEST_F(InferTest, CleanInputInChunksGivesTheGoldenNumbers) {
  const fs::path output = folder_ / "clean_out.h5";
  const Outcome outcome = infer(batch_file("clean.h5", false), output, {"--batch-tokens", "1"});
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  const hdf5::File fixture = golden();
  const hdf5::File result = hdf5::File::open(output);
  expect_golden(result, fixture.group("outputs/clean"), fixture.group("inputs"));
  EXPECT_FALSE(result.has("loss"));
  EXPECT_FALSE(result.has("logits"));
}

TEST_F(InferTest, AManifestLiesBesideTheOutput) {
  const fs::path input = batch_file("clean.h5", false), output = folder_ / "out.h5";
  ASSERT_EQ(infer(input, output, {"--seed", "7"}).exit, 0);
  const auto manifest = nlohmann::json::parse(read_text(output.string() + ".manifest.json"));
  EXPECT_EQ(manifest["exit"], 0);
  EXPECT_EQ(manifest["config"]["seed"], 7);
  EXPECT_EQ(manifest["argv"][1], "infer");
  EXPECT_GT(manifest["libraries"].size(), 3u);
  const auto& last = manifest["inputs"].back();
  EXPECT_EQ(last["path"], input.string());
  EXPECT_EQ(last["size"], fs::file_size(input));
  EXPECT_EQ(last["xxh3"], hash_file(input));
  EXPECT_TRUE(fs::exists(fs::path(model_) / "manifest.json"));
}

TEST_F(InferTest, ImportNamesWhatMatched) {
  const auto json = nlohmann::json::parse(imported_.out);
  EXPECT_GT(json["matched"].size(), 40u);
  EXPECT_EQ(json["missing"].size(), 0u);
  EXPECT_EQ(json["unexpected"].size(), 0u);
}

TEST_F(InferTest, ExportAndImportKeepEveryTensor) {
  for (const std::string format : {"bin", "safetensors"}) {
    const std::string exported = (folder_ / ("exported-" + format)).string();
    const std::string again = (folder_ / ("again-" + format)).string();
    const Outcome out = run_lodestone({"export", model_, "--out", exported, "--format", format});
    ASSERT_EQ(out.exit, 0) << out.err;
    const Outcome in = run_lodestone({"import", exported, "--out", again});
    ASSERT_EQ(in.exit, 0) << in.err;
    EXPECT_EQ(hash_file(fs::path(again) / "model.safetensors"),
              hash_file(fs::path(model_) / "model.safetensors"));
  }
}

TEST_F(InferTest, ImportRefusesStrangeNamesUnlessAllowed) {
  const fs::path source = folder_ / "source";
  fs::create_directories(source);
  fs::copy(golden_directory() / "pytorch_model.bin", source / "pytorch_model.bin");
  // One layer fewer: its tensors are unexpected.
  auto config = nlohmann::json::parse(read_text(golden_directory() / "config.json"));
  config["num_hidden_layers"] = config["num_hidden_layers"].get<int>() - 1;
  write_text(source / "config.json", config.dump());
  const Outcome refused =
      run_lodestone({"import", source.string(), "--out", (folder_ / "no").string()});
  EXPECT_EQ(refused.exit, 3);
  EXPECT_THAT(refused.err, HasSubstr("--allow"));
  EXPECT_FALSE(fs::exists(folder_ / "no"));
  const Outcome allowed = run_lodestone({"import", source.string(), "--out",
                                         (folder_ / "yes").string(), "--allow", "encoder\\.layer"});
  EXPECT_EQ(allowed.exit, 0) << allowed.err;
}

// One number of a good batch is spoilt: the message names the file and the array.
TEST_F(InferTest, BadBatchesAreRefused) {
  const auto refuse = [&](const std::string& array, std::size_t at, double value) {
    const fs::path path = batch_file("bad.h5", true);
    {
      hdf5::File file = hdf5::File::edit(path);
      hdf5::Dataset dataset = file.dataset(array);
      std::vector<double> numbers = dataset.read<double>();
      numbers[at] = value;
      dataset.write_rows<double>(0, numbers);
      file.flush();
    }
    const Outcome outcome = infer(path, folder_ / "bad_out.h5");
    EXPECT_EQ(outcome.exit, 3) << array << ": " << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("bad.h5"));
    EXPECT_THAT(outcome.err, HasSubstr(array));
    EXPECT_FALSE(fs::exists(folder_ / "bad_out.h5"));
  };
  refuse("input_ids", 0, 1e6);
  refuse("input_ids", 0, -1);
  refuse("values", 0, std::nan(""));
  refuse("attention_mask", 0, 0);
  refuse("attention_mask", 0, 2);
  refuse("species", 0, 2);
  refuse("labels", 0, 1e6);
}

TEST_F(InferTest, MissingAndMisshapenArraysAreRefused) {
  const fs::path path = batch_file("bad.h5", false);
  {
    hdf5::File file = hdf5::File::edit(path);
    file.remove("species");
    file.flush();
  }
  const Outcome missing = infer(path, folder_ / "out.h5");
  EXPECT_EQ(missing.exit, 3);
  EXPECT_THAT(missing.err, HasSubstr("species"));
  {
    hdf5::File file = hdf5::File::edit(path);
    const std::vector<std::int64_t> one = {0};
    file.create_numbers<std::int64_t>("species", {1}, one);
    file.flush();
  }
  const Outcome misshapen = infer(path, folder_ / "out.h5");
  EXPECT_EQ(misshapen.exit, 3);
  EXPECT_THAT(misshapen.err, HasSubstr("species must be ["));
}

TEST_F(InferTest, InspectKnowsAModelAndABatch) {
  const Outcome model = run_lodestone({"inspect", model_, "--json"});
  ASSERT_EQ(model.exit, 0) << model.err;
  const auto json = nlohmann::json::parse(model.out);
  EXPECT_EQ(json["kind"], "model directory");
  EXPECT_GT(json["tensors"].size(), 40u);
  const Outcome batch = run_lodestone({"inspect", batch_file("clean.h5", false).string()});
  ASSERT_EQ(batch.exit, 0) << batch.err;
  EXPECT_THAT(batch.out, HasSubstr("input_ids"));
}

}  // namespace
}  // namespace lodestone
