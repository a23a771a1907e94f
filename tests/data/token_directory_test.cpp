#include "data/token_directory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/files.h"
#include "engine/io/hdf5.h"
#include "tests/data/token_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::expect_error;
using testing::make_directory;
using testing::plan_of;
using testing::random_cell;
using testing::TemporaryFolder;
using testing::TokenizedCell;
using testing::write_cells;
using testing::writer_options;

// A directory of 10 cells in shards of 4, labelled, with one cell without a label.
void write_labelled(const fs::path& path) {
  std::vector<TokenizedCell> cells;
  ObsColumn types{"cell type", {}, {"B", "T"}};
  for (std::int64_t i = 0; i < 10; ++i) {
    cells.push_back(random_cell(i, 3 + i));
    types.codes.push_back(i == 5 ? -1 : static_cast<std::int32_t>(i % 2));
  }
  write_cells(path, writer_options(4), cells,
              {types, {"batch", std::vector<std::int32_t>(10, 0), {"one"}}},
              R"({"medians": "given"})");
}

// Changes shard 0 and makes the manifest's hash agree again.
template <class Change>
void tamper(const fs::path& directory, Change&& change) {
  const fs::path shard = directory / "shard-00000.h5";
  {
    hdf5::File file = hdf5::File::edit(shard);
    change(file);
    file.flush();
  }
  json manifest = json::parse(read_text(directory / "manifest.json"));
  manifest["shards"][0]["xxh3"] = hash_file(shard);
  write_text(directory / "manifest.json", manifest.dump());
}
template <class Change>
void expect_refused(const std::string& why, Change&& change) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  tamper(folder / "tokens", change);
  expect_error(ErrorKind::kBadInput, why, [&] { TokenDirectory(folder / "tokens"); });
  expect_error(ErrorKind::kBadInput, "shard-00000.h5", [&] { TokenDirectory(folder / "tokens"); });
}
template <class T>
void overwrite(hdf5::File& file, const std::string& name, std::int64_t at, T value) {
  file.dataset(name).write_rows<T>(at, std::span<const T>(&value, 1));
}

TEST(TokenDirectory, EveryCellComesBackOnce) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  const TokenDirectory cells(folder / "tokens");
  ASSERT_EQ(cells.cells(), 10);
  EXPECT_EQ(cells.tokens(), 75);
  EXPECT_EQ(cells.longest(), 12);
  EXPECT_EQ(cells.vocabulary_size(), testing::kVocabulary);
  const auto types = cells.labels("cell type");
  std::set<std::int64_t> seen;
  for (std::int64_t i = 0; i < cells.cells(); ++i) {
    const std::int64_t number = std::stoll(cells.cell_id(i).substr(5));
    EXPECT_TRUE(seen.insert(number).second);
    const TokenizedCell expected = random_cell(number, 3 + number);
    const CellTokens found = cells[i];
    EXPECT_EQ(cells.length(i), 3 + number);
    EXPECT_TRUE(std::equal(found.tokens.begin(), found.tokens.end(), expected.tokens.begin(),
                           expected.tokens.end()));
    EXPECT_TRUE(std::equal(found.values.begin(), found.values.end(), expected.values.begin(),
                           expected.values.end()));
    EXPECT_EQ(found.species, expected.species);
    EXPECT_EQ(types[static_cast<std::size_t>(i)], number == 5 ? "" : number % 2 == 0 ? "B" : "T");
  }
  EXPECT_TRUE(cells.labels("donor").empty());
  expect_error(ErrorKind::kInvalidArgument, "has no cell 10", [&] { cells.length(10); });
}

TEST(TokenDirectory, TheManifestHoldsTheCallersKeysAndTheShards) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  const json manifest = json::parse(TokenDirectory(folder / "tokens").manifest());
  EXPECT_EQ(manifest["format"], "lodestone-tokens");
  EXPECT_EQ(manifest["version"], 1);
  EXPECT_EQ(manifest["medians"], "given");
  ASSERT_EQ(manifest["shards"].size(), 3u);
  EXPECT_EQ(manifest["shards"][2]["file"], "shard-00002.h5");
  EXPECT_EQ(manifest["shards"][2]["cells"], 2);
  EXPECT_EQ(manifest["shards"][2]["xxh3"], hash_file(folder / "tokens/shard-00002.h5"));
}

std::vector<std::string> order_of(const TokenDirectory& cells) {
  std::vector<std::string> ids;
  for (std::int64_t i = 0; i < cells.cells(); ++i) ids.push_back(cells.cell_id(i));
  return ids;
}

TEST(TokenDirectory, TheOrderIsShuffledBySeedAlone) {
  const TemporaryFolder folder;
  const auto order = order_of(make_directory(folder / "a", 20, 5, 8));
  EXPECT_EQ(order_of(make_directory(folder / "b", 20, 5, 20)), order);
  std::vector<std::string> appended;
  for (int i = 0; i < 20; ++i) appended.push_back("cell-" + std::to_string(i));
  EXPECT_NE(order, appended);
  auto options = writer_options(8);
  options.seed = 8;
  std::vector<TokenizedCell> cells;
  for (std::int64_t i = 0; i < 20; ++i) cells.push_back(random_cell(i, 5));
  write_cells(folder / "c", options, cells);
  EXPECT_NE(order_of(TokenDirectory(folder / "c")), order);
}

TEST(TokenDirectory, CellsInAnyOrderAndInTwoRunsGiveTheSameBytes) {
  const TemporaryFolder folder;
  std::vector<TokenizedCell> cells;
  for (std::int64_t i = 0; i < 20; ++i) cells.push_back(random_cell(i, 1 + i % 7));
  write_cells(folder / "a", writer_options(8), cells);
  fs::create_directory(folder / "b");
  std::uint64_t digest = 0;
  {
    TokenDirectoryWriter first(folder / "b", writer_options(8), plan_of(cells));
    for (const std::int64_t i : {4, 0, 2, 1, 3}) {
      const TokenizedCell& cell = cells[static_cast<std::size_t>(i)];
      digest += first.put(i, cell.tokens, cell.values);
    }
    EXPECT_EQ(first.digest_of(5), digest);
  }
  TokenDirectoryWriter second(folder / "b", writer_options(8), plan_of(cells), /*made=*/true);
  EXPECT_EQ(second.digest_of(5), digest);
  EXPECT_NE(second.digest_of(6), digest);
  for (std::int64_t i = 19; i >= 5; --i)
    second.put(i, cells[static_cast<std::size_t>(i)].tokens,
               cells[static_cast<std::size_t>(i)].values);
  second.finish("{}");
  for (const char* name : {"manifest.json", "shard-00000.h5", "shard-00001.h5", "shard-00002.h5"})
    EXPECT_EQ(hash_file(folder / "a" / name), hash_file(folder / "b" / name)) << name;
  cells.pop_back();
  expect_error(ErrorKind::kBadInput, "numbers where", [&] {
    TokenDirectoryWriter(folder / "b", writer_options(8), plan_of(cells), /*made=*/true);
  });
}

TEST(TokenDirectory, TheWriterRefusesCellsThatCannotBeRead) {
  const TemporaryFolder folder;
  const TokenizedCell good = random_cell(0, 3);
  TokenDirectoryWriter writer(folder.path(), writer_options(8), plan_of({good}));
  const auto expect_cell_refused = [&](const std::string& why, auto&& change) {
    TokenizedCell cell = good;
    change(cell);
    expect_error(ErrorKind::kInvalidArgument, why,
                 [&] { writer.put(0, cell.tokens, cell.values); });
  };
  expect_cell_refused("0 tokens and 0 values, 3 were planned",
                      [](auto& cell) { cell.tokens = {}, cell.values = {}; });
  expect_cell_refused("3 tokens and 4 values", [](auto& cell) { cell.values.push_back(1); });
  expect_cell_refused("must have tokens from 2 to 499", [](auto& cell) { cell.tokens[1] = 500; });
  expect_cell_refused("must have tokens from 2", [](auto& cell) { cell.tokens[1] = 1; });
  expect_cell_refused("finite values above 0", [](auto& cell) { cell.values[2] = 0; });
  expect_cell_refused("descending", [](auto& cell) { cell.values[2] = 2000; });
  const auto expect_plan_refused = [&](ErrorKind kind, const std::string& why,
                                       const TokenPlan& plan) {
    expect_error(kind, why, [&] { TokenDirectoryWriter(folder.path(), writer_options(8), plan); });
  };
  expect_plan_refused(ErrorKind::kBadInput, "no cell was left", {});
  TokenPlan plan = plan_of({good});
  plan.lengths[0] = 0;
  expect_plan_refused(ErrorKind::kInvalidArgument, "cell 0 has no tokens", plan);
  plan = plan_of({good});
  plan.obs = {{"batch", {}, {}}};
  expect_plan_refused(ErrorKind::kInvalidArgument, "has 0 codes of 1 cells", plan);
  plan.obs = {{"a/b", {0}, {"x"}}};
  expect_plan_refused(ErrorKind::kInvalidArgument, "a name of its own", plan);
}

TEST(TokenDirectory, MoreShardsThanOpenFilesAreRefused) {
  const TemporaryFolder folder;
  std::vector<TokenizedCell> cells;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit few{100, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  for (std::int64_t i = 0; i < 50; ++i) cells.push_back(random_cell(i, 1));
  expect_error(ErrorKind::kInvalidArgument, "raise cells_per_shard",
               [&] { TokenDirectoryWriter(folder.path(), writer_options(1), plan_of(cells)); });
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(TokenDirectory, TheManifestsOwnKeysAreRefused) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kInvalidArgument, "the manifest's key cells is its own", [&] {
    write_cells(folder / "tokens", writer_options(8), {random_cell(0, 3)}, {}, R"({"cells": 3})");
  });
  EXPECT_FALSE(fs::exists(folder / "tokens/manifest.json"));
}

TEST(TokenDirectory, RefusesAMissingOrForeignManifest) {
  const TemporaryFolder folder;
  expect_error(ErrorKind::kBadInput, "has no manifest.json",
               [&] { TokenDirectory(folder.path()); });
  const auto expect_manifest_refused = [&](const std::string& why, auto&& change) {
    const TemporaryFolder inner;
    write_labelled(inner / "tokens");
    json manifest = json::parse(read_text(inner / "tokens/manifest.json"));
    change(manifest);
    write_text(inner / "tokens/manifest.json", manifest.dump());
    expect_error(ErrorKind::kBadInput, why, [&] { TokenDirectory(inner / "tokens"); });
  };
  expect_manifest_refused("is not the manifest", [](json& m) { m["format"] = "other"; });
  expect_manifest_refused("is not the manifest", [](json& m) { m = 3; });
  expect_manifest_refused("has version 2", [](json& m) { m["version"] = 2; });
  expect_manifest_refused("cells must be a whole number", [](json& m) { m["cells"] = -1; });
  expect_manifest_refused("add up to", [](json& m) { m["tokens"] = 76; });
  expect_manifest_refused("vocabulary_size is 2", [](json& m) { m["vocabulary_size"] = 2; });
  expect_manifest_refused("shards must be a list", [](json& m) { m["shards"] = 1; });
  expect_manifest_refused("must be the name of a file",
                          [](json& m) { m["shards"][0]["file"] = "../a"; });
  expect_manifest_refused("has the shape [5], expected [6]", [](json& m) {
    m["shards"][0]["cells"] = 5;
    m["cells"] = 11;
  });
}

TEST(TokenDirectory, RefusesAChangedByte) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  {
    hdf5::File file = hdf5::File::edit(folder / "tokens/shard-00000.h5");
    overwrite<std::uint32_t>(file, "tokens", 0, 77);
    file.flush();
  }
  expect_error(ErrorKind::kBadInput, "is corrupt: its hash is",
               [&] { TokenDirectory(folder / "tokens"); });
  EXPECT_EQ(TokenDirectory(folder / "tokens", /*verify=*/false).cells(), 10);
}

TEST(TokenDirectory, RefusesATruncatedShard) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  const fs::path shard = folder / "tokens/shard-00001.h5";
  fs::resize_file(shard, fs::file_size(shard) / 2);
  expect_error(ErrorKind::kBadInput, "shard-00001.h5", [&] { TokenDirectory(folder / "tokens"); });
  expect_error(ErrorKind::kBadInput, "shard-00001.h5",
               [&] { TokenDirectory(folder / "tokens", false); });
  fs::remove(shard);
  expect_error(ErrorKind::kBadInput, "shard-00001.h5", [&] { TokenDirectory(folder / "tokens"); });
}

TEST(TokenDirectory, RefusesOffsetsThatDoNotAscend) {
  expect_refused("they must ascend",
                 [](auto& file) { overwrite<std::int64_t>(file, "offsets", 2, 0); });
  expect_refused("they must ascend",
                 [](auto& file) { overwrite<std::int64_t>(file, "offsets", 2, INT64_MIN); });
  expect_refused("its offsets go from 1",
                 [](auto& file) { overwrite<std::int64_t>(file, "offsets", 0, 1); });
  expect_refused("its offsets go from 0 to 999999",
                 [](auto& file) { overwrite<std::int64_t>(file, "offsets", 4, 999999); });
}

TEST(TokenDirectory, RefusesTokensOutOfRange) {
  expect_refused("has token 500 at position 0, expected 2 to 499",
                 [](auto& file) { overwrite<std::uint32_t>(file, "tokens", 0, 500); });
  expect_refused("has token 1 at position 0",
                 [](auto& file) { overwrite<std::uint32_t>(file, "tokens", 0, 1); });
}

TEST(TokenDirectory, RefusesImpossibleValues) {
  const auto with_value = [](float value) {
    return [value](hdf5::File& file) { overwrite<float>(file, "values", 1, value); };
  };
  expect_refused("has the value nan at position 1", with_value(std::nanf("")));
  expect_refused("has the value -1 at position 1", with_value(-1));
  expect_refused("has the value 0 at position 1", with_value(0));
  expect_refused("has the value inf", with_value(std::numeric_limits<float>::infinity()));
  expect_refused("is not ranked", with_value(5000));
}

TEST(TokenDirectory, RefusesAnUnknownSpecies) {
  expect_refused("has species 2",
                 [](auto& file) { overwrite<std::uint8_t>(file, "species", 0, 2); });
}

TEST(TokenDirectory, RefusesDatasetsThatCannotBeMapped) {
  expect_refused("values", [](hdf5::File& file) { file.remove("values"); });
  const auto with_species = [](auto value) {
    return [value](hdf5::File& file) {
      file.remove("species");
      const std::vector<decltype(value)> values(4, value);
      file.create_numbers<decltype(value)>("species", {4}, values);
    };
  };
  expect_refused("has another number type", with_species(std::int32_t{0}));
  expect_refused("is not stored contiguously", [](hdf5::File& file) {
    file.remove("species");
    const std::vector<std::uint8_t> values(4, 0);
    file.create_chunked<std::uint8_t>("species", {0}, 4, 4).append<std::uint8_t>(values);
  });
  expect_refused("expected [4]", [](hdf5::File& file) {
    file.remove("species");
    const std::vector<std::uint8_t> values(3, 0);
    file.create_numbers<std::uint8_t>("species", {3}, values);
  });
}

TEST(TokenDirectory, RefusesLabelsOutOfRange) {
  const TemporaryFolder folder;
  write_labelled(folder / "tokens");
  tamper(folder / "tokens",
         [](auto& file) { overwrite<std::int32_t>(file, "obs/batch/codes", 0, 1); });
  const TokenDirectory cells(folder / "tokens");
  expect_error(ErrorKind::kBadInput, "has the code 1, expected -1 to 0",
               [&] { cells.labels("batch"); });
}

}  // namespace
}  // namespace lodestone
