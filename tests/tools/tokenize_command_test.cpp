// From simulated cells to tokens and priors, through the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace {

using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using nlohmann::json;
using testing::HasSubstr;

// A simulated corpus and its vocabulary, made once.
class TokenizeCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
    succeed({"simulate", "--out", path("cells"), "--cells", "60", "--genes", "200", "--quiet"});
    vocabulary_ = succeed({"vocab", "--genes", path("cells/genes_human.tsv"), "--genes",
                           path("cells/genes_mouse.tsv"), "--orthologs",
                           path("cells/orthologs.tsv"), "--out", path("vocab.json"), "--quiet"});
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  static json succeed(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  static void fails(int code, const std::string& sentence,
                    const std::vector<std::string>& arguments) {
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(sentence));
  }
  TemporaryFolder folder_;
  json vocabulary_;
};

TEST_F(TokenizeCommandTest, BothSpeciesInOneVocabulary) {
  EXPECT_EQ(vocabulary_["human_genes"], 200);
  EXPECT_EQ(vocabulary_["mouse_genes"], 200);
  EXPECT_GT(vocabulary_["homologous_pairs"], 100);
  const json report = succeed({"tokenize", path("cells/human.h5ad"), path("cells/mouse.h5ad"),
                               "--vocab", path("vocab.json"), "--out", path("tokens"), "--quiet"});
  EXPECT_EQ(report["files"].size(), 2u);
  EXPECT_EQ(report["files"][1]["species"], "mouse");
  EXPECT_EQ(report["files"][0]["counts_lost"], 0);
  EXPECT_GT(report["cells"], 100);
  EXPECT_EQ(report["medians"], "fitted");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "tokens/vocab.json"));
  fails(2, "exists already",
        {"tokenize", path("cells/human.h5ad"), "--vocab", path("vocab.json"), "--out",
         path("tokens")});
}

TEST_F(TokenizeCommandTest, BadInputs) {
  const std::string foreign = file("foreign.json", R"({"version": 1, "homologous": [], "tokens": [
          {"id": 2, "gene": "ENSG99999999999", "species": "human"}]})");
  fails(3, "is in the vocabulary",
        {"tokenize", path("cells/human.h5ad"), "--vocab", foreign, "--out", path("tokens")});
  fails(2, "species is 'rat'",
        {"tokenize", path("cells/human.h5ad"), "--vocab", path("vocab.json"), "--species", "rat",
         "--out", path("tokens")});
  fails(2, "expected gene tables", {"vocab", "--out", path("v.json")});
  const std::string twice = file("twice.tsv", "gene_id\nENSG00000000001\nENSG00000000001.2\n");
  fails(3, "twice.tsv line 3", {"vocab", "--genes", twice, "--out", path("v.json")});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "v.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tokens"));
}

TEST_F(TokenizeCommandTest, PriorsOfDifferentWidths) {
  std::ifstream vocabulary(folder_ / "vocab.json");
  const std::string gene = json::parse(vocabulary)["tokens"][0]["gene"];
  const std::string narrow = file("narrow.tsv", "gene\ta\n" + gene + "\t1\n");
  const std::string wide = file("wide.tsv", "gene\ta\tb\n" + gene + "\t1\t2\n");
  const json report = succeed({"priors", "import", "--vocab", path("vocab.json"), "--promoter",
                               narrow, "--peca-grn", wide, "--out", path("priors.h5"), "--quiet"});
  EXPECT_EQ(report["width"], 2);
  EXPECT_EQ(report["priors"].size(), 2u);
  EXPECT_EQ(report["priors"][1]["name"], "peca_grn");
  EXPECT_EQ(report["priors"][1]["mapped"], 1);
  fails(2, "at least one of",
        {"priors", "import", "--vocab", path("vocab.json"), "--out", path("none.h5")});
  const std::string nan = file("nan.tsv", "gene\ta\n" + gene + "\tnan\n");
  fails(3, "expected a finite number",
        {"priors", "import", "--vocab", path("vocab.json"), "--promoter", nan, "--out",
         path("nan.h5")});
}

}  // namespace
