// The commands with --device cuda, on the binary that the interpreter is linked into, beside the
// same on the CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using nlohmann::json;

class CudaCommands : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_lodestone()) return;
    folder_ = std::make_unique<TemporaryFolder>();
    succeed({"simulate", "--out", path("cells"), "--cells", "12", "--genes", "100"});
    succeed({"vocab", "--genes", path("cells/genes_human.tsv"), "--genes",
             path("cells/genes_mouse.tsv"), "--orthologs", path("cells/orthologs.tsv"), "--out",
             path("vocab.json")});
    succeed({"tokenize", path("cells/human.h5ad"), path("cells/mouse.h5ad"), "--vocab",
             path("vocab.json"), "--out", path("tokens")});
    std::ofstream(path("tiny.toml")) << "steps = 3\nheld_out = 0.2\nsave_every = 2\n"
                                        "[model]\nhidden = 64\nlayers = 2\nheads = 2\n"
                                        "intermediate = 48\nmax_positions = 100\n"
                                        "[loader]\nbatch_cells = 4\nmax_length = 100\n"
                                        "[schedule]\npeak_rate = 1e-3\nwarmup_steps = 1\n";
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
  }

  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  static json succeed(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--quiet"});
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, 0) << arguments[0] << ": " << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  static json pretrain(const std::string& device, const std::string& dtype, const std::string& out,
                       const std::string& steps = "3") {
    return succeed({"pretrain", "--config", path("tiny.toml"), "--data", path("tokens"), "--out",
                    path(out), "--device", device, "--dtype", dtype, "--steps", steps});
  }
  static double loss(const json& trained) { return trained["validation"]["loss"].get<double>(); }
  static std::vector<float> numbers(const std::string& file, const std::string& dataset) {
    return hdf5::File::open(path(file)).dataset(dataset).read<float>();
  }
  static void expect_near(const std::vector<float>& got, const std::vector<float>& expected,
                          double bound) {
    ASSERT_EQ(got.size(), expected.size());
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      difference += std::pow(got[i] - expected[i], 2);
      size += std::pow(expected[i], 2);
    }
    EXPECT_LE(std::sqrt(difference), bound * std::sqrt(size));
  }

  static std::unique_ptr<TemporaryFolder> folder_;
};
std::unique_ptr<TemporaryFolder> CudaCommands::folder_;

TEST_F(CudaCommands, PretrainingEmbeddingAndEvaluationAreTheCpus) {
  const double cpu = loss(pretrain("cpu", "f32", "cpu")),
               cuda = loss(pretrain("cuda", "f32", "cuda"));
  EXPECT_NEAR(cuda, cpu, 1e-4 * cpu);
  for (const std::string device : {"cpu", "cuda"})
    succeed({"embed", "--model", path("cuda/model"), "--input", path("cells/human.h5ad"),
             "--output", path(device + ".h5ad"), "--device", device});
  expect_near(numbers("cuda.h5ad", "obsm/X_lodestone"), numbers("cpu.h5ad", "obsm/X_lodestone"),
              1e-5);
  const json here = succeed({"evaluate", "pretraining", path("cuda"), "--device", "cpu"});
  const json there = succeed({"evaluate", "pretraining", path("cuda"), "--device", "cuda"});
  EXPECT_FALSE(here.is_discarded());
  EXPECT_FALSE(there.is_discarded());
}

TEST_F(CudaCommands, Bf16TrainsTheSameBitsTwice) {
  pretrain("cuda", "bf16", "first");
  pretrain("cuda", "bf16", "second");
  EXPECT_EQ(read_text(path("first/model/model.safetensors")),
            read_text(path("second/model/model.safetensors")));
}

TEST_F(CudaCommands, AResumedRunIsAsIfItHadNeverStopped) {
  pretrain("cuda", "f32", "straight");
  // The schedule of three steps, stopped after the checkpoint of two.
  pretrain("cuda", "f32", "stopped");
  std::filesystem::remove_all(path("stopped/model"));
  std::filesystem::remove_all(path("stopped/checkpoints/step-00000003"));
  succeed({"pretrain", "--out", path("stopped"), "--resume", "--device", "cuda"});
  EXPECT_EQ(read_text(path("straight/model/model.safetensors")),
            read_text(path("stopped/model/model.safetensors")));
}

}  // namespace
}  // namespace lodestone
