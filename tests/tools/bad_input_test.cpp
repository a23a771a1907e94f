// Bad inputs through the binary: each has its exit code, one sentence that names the file and the
// field, and leaves every file as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "data/h5ad_writer.h"
#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "tests/data/memory_cells.h"
#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/torch_archive.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::pickled_command;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using lodestone::testing::write_torch_archive;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kUsage = 2, kBadInput = 3;  // exit codes
constexpr std::int64_t kCells = 16;
constexpr int kGenes = 24;
constexpr const char* kSettings = R"(
steps = 2
held_out = 0.0
[model]
hidden = 16
layers = 1
heads = 1
intermediate = 32
max_positions = 32
[loader]
batch_cells = 4
max_length = 32
[schedule]
warmup_steps = 1
)";

std::vector<std::string> human_ids(int first) {
  std::vector<std::string> ids;
  for (int gene = 0; gene < kGenes; ++gene) ids.push_back(human_id(first + gene));
  return ids;
}

// Every cell expresses every gene, but for the cell `empty`, if there is one.
void write_cells(const fs::path& path, const std::vector<std::string>& gene_ids,
                 std::int64_t empty = -1) {
  std::vector<GeneRecord> genes;
  for (const std::string& id : gene_ids) genes.push_back({.id = id, .symbol = ""});
  CellBlock block;
  block.offsets = {0};
  std::vector<std::string> ids;
  for (std::int64_t cell = 0; cell < kCells; ++cell) {
    for (int gene = 0; gene < kGenes && cell != empty; ++gene) {
      block.genes.push_back(gene);
      block.counts.push_back(static_cast<float>(1 + (5 * cell + 3 * gene) % 7));
    }
    block.offsets.push_back(static_cast<std::int64_t>(block.genes.size()));
    ids.push_back("cell" + std::to_string(cell));
  }
  H5adWriter writer(path, genes, {});
  writer.append(block);
  writer.finish(ids, {});
}

// What lies below a folder: the hash of every file, nothing for a folder.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    found[entry.path().string()] = entry.is_regular_file() ? hash_file(entry.path()) : "";
  return found;
}

class BadInputTest : public ::testing::Test {
 protected:
  // Good cells, their vocabulary, their tokens and a model of them, made once.
  static void SetUpTestSuite() {
    if (!have_lodestone()) return;
    good_ = std::make_unique<TemporaryFolder>();
    write_cells(good("cells.h5ad"), human_ids(1));
    write_text(good("settings.toml"), kSettings);
    succeed({"vocab", "--cells", good("cells.h5ad"), "--out", good("vocab.json")});
    succeed(
        {"tokenize", good("cells.h5ad"), "--vocab", good("vocab.json"), "--out", good("tokens")});
    succeed({"pretrain", "--data", good("tokens"), "--config", good("settings.toml"), "--out",
             good("run")});
  }
  static void TearDownTestSuite() { good_.reset(); }
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
  }

  static std::string good(const std::string& name) { return (*good_ / name).string(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string file(const std::string& name, const std::string& text) const {
    write_text(folder_ / name, text);
    return path(name);
  }

  static std::string succeed(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", "--quiet"});
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    return outcome.out;
  }

  // The command must end with `code`, say one sentence with all `parts`, and change no file.
  void expect_refused(int code, const std::vector<std::string>& parts,
                      std::vector<std::string> arguments) const {
    const auto good_before = contents(good_->path()), before = contents(folder_.path());
    arguments.emplace_back("--quiet");
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, code) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("lodestone: "));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part));
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(contents(folder_.path()), before);
    EXPECT_EQ(contents(good_->path()), good_before);
  }
  void expect_cells_refused(const std::string& cells, const std::vector<std::string>& parts) const {
    expect_refused(
        kBadInput, parts,
        {"tokenize", cells, "--vocab", good("vocab.json"), "--out", path("new/folder/tokens")});
  }
  void expect_tokens_refused(const std::string& tokens,
                             const std::vector<std::string>& parts) const {
    expect_refused(kBadInput, parts,
                   {"pretrain", "--data", tokens, "--config", good("settings.toml"), "--out",
                    path("run-on-bad-tokens")});
  }
  void expect_embedding_refused(int code, const std::vector<std::string>& parts,
                                const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"embed",
                                          "--model",
                                          good("run/model"),
                                          "--input",
                                          good("cells.h5ad"),
                                          "--output",
                                          path("embedded.h5ad")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_refused(code, parts, arguments);
  }

  // The good cells with floats for counts, changed by `edit`.
  std::string cells_with(const std::function<void(std::vector<float>&)>& edit) const {
    fs::copy_file(good("cells.h5ad"), folder_ / "bad.h5ad");
    hdf5::File changed = hdf5::File::edit(folder_ / "bad.h5ad");
    hdf5::Group matrix = changed.group("X");
    auto counts = matrix.dataset("data").read<float>();
    edit(counts);
    matrix.remove("data");
    matrix.create_numbers<float>("data", {std::ssize(counts)}, counts);
    changed.flush();
    return path("bad.h5ad");
  }
  // The good tokens with one number of the first shard overwritten, the manifest's hash as well.
  template <class T>
  std::string tokens_with(const std::string& dataset, std::int64_t place, T value) const {
    fs::copy(good("tokens"), folder_ / "tokens");
    const fs::path shard = folder_ / "tokens/shard-00000.h5";
    {
      hdf5::File changed = hdf5::File::edit(shard);
      changed.dataset(dataset).write_rows<T>(place, std::span<const T>(&value, 1));
      changed.flush();
    }
    json manifest = json::parse(read_text(folder_ / "tokens/manifest.json"));
    manifest["shards"][0]["xxh3"] = hash_file(shard);
    write_text(folder_ / "tokens/manifest.json", manifest.dump());
    return path("tokens");
  }

  inline static std::unique_ptr<TemporaryFolder> good_;
  TemporaryFolder folder_;
};

TEST_F(BadInputTest, MissingCells) {
  expect_cells_refused(path("none.h5ad"), {path("none.h5ad"), "no such file", "check the path"});
}

TEST_F(BadInputTest, TruncatedCells) {
  const std::string whole = read_text(good("cells.h5ad"));
  const std::string cells = file("half.h5ad", whole.substr(0, whole.size() / 2));
  expect_cells_refused(cells, {cells, "truncated", "copy"});
}

TEST_F(BadInputTest, NormalisedMatrix) {
  const std::string cells = cells_with([](std::vector<float>& counts) {
    for (float& count : counts) count = std::log1p(count);
  });
  expect_cells_refused(cells, {cells, "X holds the fractional value", "--allow-noninteger"});
}

TEST_F(BadInputTest, NegativeCounts) {
  const std::string cells = cells_with([](std::vector<float>& counts) { counts[30] = -3; });
  expect_cells_refused(cells, {cells, "X holds the negative value -3", "give the file"});
}

TEST_F(BadInputTest, NanCounts) {
  const std::string cells = cells_with(
      [](std::vector<float>& counts) { counts[30] = std::numeric_limits<float>::quiet_NaN(); });
  expect_cells_refused(cells, {cells, "X holds the undefined value nan", "give the file"});
}

TEST_F(BadInputTest, UnknownGenesOnly) {
  write_cells(folder_ / "strange.h5ad", human_ids(1000));
  expect_cells_refused(path("strange.h5ad"), {path("strange.h5ad"), "none of its 24 genes",
                                              "expected human genes", human_id(1000)});
}

TEST_F(BadInputTest, DuplicateGeneIds) {
  std::vector<std::string> ids = human_ids(1);
  ids[7] = ids[3] + ".2";
  write_cells(folder_ / "twice.h5ad", ids);
  expect_cells_refused(path("twice.h5ad"),
                       {path("twice.h5ad"), ids[3] + " and " + ids[7], "merge or drop"});
}

TEST_F(BadInputTest, EmptyCellsAreDroppedAndCounted) {
  write_cells(folder_ / "gap.h5ad", human_ids(1), 5);
  const json report = json::parse(succeed(
      {"tokenize", path("gap.h5ad"), "--vocab", good("vocab.json"), "--out", path("tokens")}));
  EXPECT_EQ(report["cells"], kCells - 1);
  EXPECT_EQ(report["files"][0]["dropped"]["no_counts"], 1);
  EXPECT_EQ(report["files"][0]["kept"], kCells - 1);
}

TEST_F(BadInputTest, CorruptShard) {
  fs::copy(good("tokens"), folder_ / "tokens");
  const std::string shard = path("tokens/shard-00000.h5");
  std::string bytes = read_text(shard);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 8; ++i)
    bytes[i] = static_cast<char>(~bytes[i]);
  write_text(shard, bytes);
  expect_tokens_refused(path("tokens"), {shard, "is corrupt", "hash", "write the directory again"});
}

TEST_F(BadInputTest, TokenOutOfRange) {
  const std::uint32_t size = kGenes + 2;  // of the vocabulary
  expect_tokens_refused(tokens_with("tokens", 1, size),
                        {path("tokens/shard-00000.h5"), "cell 0 has token 26 at position 1",
                         "expected 2 to 25", "write the directory again"});
}

TEST_F(BadInputTest, NanAmongTokenValues) {
  expect_tokens_refused(tokens_with("values", 1, std::numeric_limits<float>::quiet_NaN()),
                        {path("tokens/shard-00000.h5"), "cell 0 has the value nan at position 1",
                         "expected a finite one", "write the directory again"});
}

TEST_F(BadInputTest, UnknownSetting) {
  const std::string settings = file("typo.toml", "steps = 2\n[model]\nhiden = 16\n");
  expect_refused(
      kUsage, {settings + ", line 3", "'model.hiden'", "did you mean 'model.hidden'?"},
      {"pretrain", "--data", good("tokens"), "--config", settings, "--out", path("run")});
}

TEST_F(BadInputTest, HostilePickle) {
  fs::create_directory(folder_ / "published");
  fs::copy_file(good("run/model/config.json"), folder_ / "published/config.json");
  write_torch_archive(folder_ / "published/pytorch_model.bin",
                      pickled_command("touch " + path("executed")));
  expect_refused(kBadInput,
                 {path("published/pytorch_model.bin"), "'os system'", "a source you trust"},
                 {"import", path("published"), "--out", path("model")});
}

TEST_F(BadInputTest, VocabularyOfAnotherSize) {
  const std::string vocabulary = file("small.json", R"({"version": 1, "homologous": [], "tokens": [
      {"id": 2, "gene": ")" + human_id(1) + R"(", "species": "human"}]})");
  expect_embedding_refused(kBadInput,
                           {vocabulary, "has 3 tokens", "was made for 26", "its own vocabulary"},
                           {"--vocab", vocabulary});
}

TEST_F(BadInputTest, VocabularyThatIsNoJson) {
  const std::string vocabulary = file("vocab.json", "gene\ttoken\n");
  expect_embedding_refused(kBadInput, {vocabulary, "no JSON", "lodestone vocab"},
                           {"--vocab", vocabulary});
}

TEST_F(BadInputTest, FoldersOfSomethingElse) {
  fs::create_directory(folder_ / "empty");
  expect_tokens_refused(path("empty"), {path("empty"), "no manifest.json", "lodestone tokenize"});
  expect_embedding_refused(kBadInput, {path("empty"), "no config.json", "the folder of a model"},
                           {"--model", path("empty")});
}

TEST_F(BadInputTest, LayerOutOfRange) {
  expect_embedding_refused(kUsage, {"layer", "expected -1 to 1", "got 2"}, {"--layer", "2"});
}

TEST_F(BadInputTest, ResumeWithoutARun) {
  fs::create_directory(folder_ / "empty");
  for (const char* name : {"empty", "none"})
    expect_refused(kUsage, {path(name), "no run to resume", "give --data"},
                   {"pretrain", "--out", path(name), "--resume"});
}

TEST_F(BadInputTest, SecondRunInADirectory) {
  expect_refused(kUsage, {good("run"), "holds a run already", "--resume"},
                 {"pretrain", "--data", good("tokens"), "--config", good("settings.toml"), "--out",
                  good("run")});
}

TEST_F(BadInputTest, RunInPlaceOfAFile) {
  const std::string out = file("run", "");
  expect_refused(
      kUsage, {out, "is a file", "choose a directory"},
      {"pretrain", "--data", good("tokens"), "--config", good("settings.toml"), "--out", out});
}

TEST_F(BadInputTest, TokensOntoAnExistingDirectory) {
  expect_refused(
      kUsage, {good("tokens"), "exists already", "--replace"},
      {"tokenize", good("cells.h5ad"), "--vocab", good("vocab.json"), "--out", good("tokens")});
}

TEST_F(BadInputTest, GeneTableWithoutAKnownHeader) {
  const std::string table = file("genes.tsv", "accession\tname\n" + human_id(1) + "\tTP53\n");
  expect_refused(kBadInput, {table, "no column with the Ensembl ids", "ensembl_id", "accession"},
                 {"vocab", "--genes", table, "--out", path("vocab.json")});
}

}  // namespace
}  // namespace lodestone
