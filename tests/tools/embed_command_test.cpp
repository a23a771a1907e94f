// From simulated cells to a pretrained model, embeddings, scores and a page, through the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/cell_source.h"
#include "data/loader.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "model/model_directory.h"
#include "tests/data/anndata_peer.h"
#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using lodestone::testing::ask_anndata;
using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kCells = 60, kHidden = 32;

// The model is pretrained and the human cells are embedded once, for all tests.
class EmbedCommandTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!have_lodestone()) return;
    folder_ = std::make_unique<TemporaryFolder>();
    succeed(
        {"simulate", "--out", path("cells"), "--cells", std::to_string(kCells), "--genes", "150"});
    succeed({"vocab", "--genes", path("cells/genes_human.tsv"), "--genes",
             path("cells/genes_mouse.tsv"), "--orthologs", path("cells/orthologs.tsv"), "--out",
             path("vocab.json")});
    succeed({"tokenize", path("cells/human.h5ad"), path("cells/mouse.h5ad"), "--vocab",
             path("vocab.json"), "--out", path("tokens")});
    std::ofstream(path("tiny.toml")) << "steps = 6\nheld_out = 0.2\n"
                                        "[model]\nhidden = 32\nlayers = 2\nheads = 2\n"
                                        "intermediate = 48\nmax_positions = 150\n"
                                        "[loader]\nbatch_cells = 8\nmax_length = 150\n"
                                        "[schedule]\npeak_rate = 1e-3\nwarmup_steps = 2\n";
    trained_ = succeed({"pretrain", "--config", path("tiny.toml"), "--data", path("tokens"),
                        "--out", path("run")});
    embedded_ = succeed({"embed", "--model", path("run/model"), "--input", path("cells/human.h5ad"),
                         "--output", path("embedded.h5ad")});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
  }

  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  // What a command prints with --json.
  static json succeed(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--quiet"});
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, 0) << arguments[0] << ": " << outcome.err;
    const json result = json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(result.is_discarded()) << arguments[0] << " printed " << outcome.out;
    return result;
  }
  static void fails(int code, const std::string& sentence,
                    const std::vector<std::string>& arguments) {
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(sentence));
  }
  static std::vector<std::string> embed_to(const std::string& output,
                                           std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"embed", "--model", path("run/model"), "--input",
                               path("cells/human.h5ad"), "--output", path(output)});
    return more;
  }

  static std::unique_ptr<TemporaryFolder> folder_;
  static json trained_, embedded_;
};
std::unique_ptr<TemporaryFolder> EmbedCommandTest::folder_;
json EmbedCommandTest::trained_, EmbedCommandTest::embedded_;

TEST_F(EmbedCommandTest, PretrainingEndsWithAModel) {
  EXPECT_EQ(trained_["steps"], 6);
  EXPECT_EQ(trained_["stopped"], false);
  EXPECT_TRUE(std::isfinite(trained_["validation"]["loss"].get<double>()));
}

TEST_F(EmbedCommandTest, TheModelKeepsTheMediansOfItsTokens) {
  EXPECT_EQ(read_text(path("run/model/vocab.json")), read_text(path("tokens/vocab.json")));
  fails(3, "medians or homologous pairs differ from those of",
        {"pretrain", "--config", path("tiny.toml"), "--data", path("tokens"), "--vocab",
         path("vocab.json"), "--out", path("other")});
  EXPECT_FALSE(std::filesystem::exists(path("other/config.toml")));
}

TEST_F(EmbedCommandTest, AnndataOpensTheEmbeddedFile) {
  if (!testing::has_anndata()) GTEST_SKIP() << "no Python with anndata";
  json before = ask_anndata("describe", path("cells/human.h5ad"));
  json after = ask_anndata("describe", path("embedded.h5ad"));
  EXPECT_EQ(after["obsm_types"]["X_lodestone"], "float32");
  const auto rows = after["obsm"]["X_lodestone"].get<std::vector<std::vector<double>>>();
  ASSERT_EQ(rows.size(), static_cast<std::size_t>(kCells));
  for (const auto& row : rows) {
    ASSERT_EQ(row.size(), static_cast<std::size_t>(kHidden));
    double square = 0;
    for (const double value : row) square += value * value;
    EXPECT_TRUE(std::isfinite(square) && square > 0);
  }
  EXPECT_NE(rows[0], rows[1]);
  EXPECT_EQ(json::parse(after["uns"]["X_lodestone"].get<std::string>()), embedded_);
  for (const char* changed : {"obsm", "obsm_types", "uns"}) {
    before.erase(changed);
    after.erase(changed);
  }
  EXPECT_EQ(after, before);
}

// What training read of a cell and what `embed` makes of its counts are one.
TEST_F(EmbedCommandTest, CellsAreEmbeddedAsTheyWereTokenised) {
  const TokenDirectory tokens(path("tokens"));
  const auto model = load_model(path("run/model"), DType::kF32);
  const auto ids = open_cells(path("cells/human.h5ad"), {})->cell_ids();
  const auto rows =
      hdf5::File::open(path("embedded.h5ad")).dataset("obsm/X_lodestone").read<float>();
  int compared = 0;
  for (std::int64_t cell = 0; cell < tokens.cells(); ++cell) {
    const auto place = std::find(ids.begin(), ids.end(), tokens.cell_id(cell));
    if (tokens[cell].species != Species::kHuman || place == ids.end()) continue;
    LoaderConfig unmasked;
    unmasked.mask_probability = 0;
    const Batch batch = make_batch(tokens, {cell}, 0, 0, unmasked);
    const NoGrad no_grad;
    const Tensor cls = model->network.encode(batch, ForwardContext{}).states.value().rows(0, 1);
    const auto row =
        std::span(rows).subspan(static_cast<std::size_t>(place - ids.begin()) * kHidden, kHidden);
    EXPECT_THAT(row, ::testing::Pointwise(::testing::FloatNear(1e-5f), cls.host<float>()))
        << *place;
    ++compared;
  }
  EXPECT_GT(compared, kCells / 2);
}

TEST_F(EmbedCommandTest, SaysHowTheEmbeddingWasMade) {
  EXPECT_EQ(embedded_["cells"], kCells);
  EXPECT_EQ(embedded_["width"], kHidden);
  EXPECT_EQ(embedded_["pooling"], "cls");
  EXPECT_EQ(embedded_["weights"], hash_file(path("run/model/model.safetensors")));
  EXPECT_EQ(embedded_["cells_without_genes"], json::array());
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path()))
    EXPECT_FALSE(entry.path().string().ends_with(".rows")) << entry.path();
}

TEST_F(EmbedCommandTest, OtherLayersAndPoolingsUnderAnotherName) {
  const json other =
      succeed(embed_to("mean.h5ad", {"--pooling", "mean", "--layer", "1", "--name", "X_mean"}));
  EXPECT_EQ(other["pooling"], "mean");
  EXPECT_EQ(other["layer"], 1);
  if (!testing::has_anndata()) GTEST_SKIP() << "no Python with anndata";
  const json seen = ask_anndata("describe", path("mean.h5ad"));
  EXPECT_TRUE(seen["obsm"].contains("X_mean"));
  EXPECT_FALSE(seen["obsm"].contains("X_lodestone"));
  EXPECT_TRUE(seen["uns"].contains("X_mean"));
}

TEST_F(EmbedCommandTest, ImpossibleSettingsLeaveNoFile) {
  fails(2, "layer: expected -1 to 2, got 3", embed_to("none.h5ad", {"--layer", "3"}));
  fails(2, "pooling: expected cls or mean, got max", embed_to("none.h5ad", {"--pooling", "max"}));
  std::ofstream(path("foreign.json")) << R"({"version": 1, "homologous": [], "tokens": [
      {"id": 2, "gene": "ENSG99999999999", "species": "human"}]})";
  fails(3, "has 3 tokens, but the model", embed_to("none.h5ad", {"--vocab", path("foreign.json")}));
  EXPECT_FALSE(std::filesystem::exists(path("none.h5ad")));
}

TEST_F(EmbedCommandTest, EvaluatesEmbeddingsAndReportsThem) {
  const std::string human = path("cells/human.h5ad"), mouse = path("cells/mouse.h5ad");
  const json scores = succeed({"evaluate", "embedding", human, mouse, "--model", path("run/model"),
                               "--out", path("embedding.json")});
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores[2]["reference"], "human");
  EXPECT_EQ(scores[2]["query"], "mouse");
  for (const json& entry : scores) {
    EXPECT_EQ(entry["methods"].size(), 3u);
    for (const auto& [name, numbers] : entry["methods"].items())
      for (const char* number : {"accuracy", "macro_f1"})
        EXPECT_THAT(numbers[number].get<double>(), AllOf(::testing::Ge(0), ::testing::Le(1)))
            << name;
  }
  EXPECT_EQ(json::parse(read_text(path("embedding.json"))), scores);
  fails(3, "human.h5ad: no column tissue in obs",
        {"evaluate", "embedding", human, "--model", path("run/model"), "--label", "tissue"});

  const json score =
      succeed({"evaluate", "pretraining", path("run"), "--out", path("pretraining.json")});
  EXPECT_GT(score["positions"], 100);
  EXPECT_GT(score["gene_cross_entropy"]["model"], 0);
  EXPECT_LT(score["gene_cross_entropy"]["gene_frequency"], std::log(300));
  EXPECT_LT(score["value_squared_error"]["neighbour_interpolation"],
            score["value_squared_error"]["gene_mean"]);
  EXPECT_EQ(json::parse(read_text(path("pretraining.json"))), score);

  const json report = succeed({"report", path("run"), "--embedding", path("embedded.h5ad"),
                               "--result", path("embedding.json"), "--result",
                               path("pretraining.json"), "--out", path("report.html")});
  EXPECT_GT(report["count"], 3);
  EXPECT_THAT(read_text(path("report.html")),
              AllOf(HasSubstr("random weights"), HasSubstr("neighbour_interpolation")));
}

}  // namespace
}  // namespace lodestone
