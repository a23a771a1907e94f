// lodestone bench on a small model, and the comparison of two of its results, through the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace {

using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;

class BenchCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  // A result with these rows and seconds.
  std::string result(const std::string& name, const std::map<std::string, double>& rows,
                     int threads = 2) const {
    json made = {{"processor", "one"}, {"threads", threads}, {"rows", json::array()}};
    for (const auto& [row, seconds] : rows)
      made["rows"].push_back({{"name", row}, {"seconds", seconds}});
    return file(name, made.dump());
  }
  static json succeed(std::vector<std::string> arguments, int code = 0) {
    arguments.emplace_back("--json");
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, code) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  static std::map<std::string, json> rows_of(const json& result) {
    std::map<std::string, json> rows;
    for (const json& row : result["rows"]) rows[row["name"]] = row;
    return rows;
  }
  // A few rows of the small model, quickly.
  static json measure(const std::string& filter, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"bench",     "--shape", "small",
                                          "--seconds", "0.0001",  "--repetitions",
                                          "2",         "--quiet", "--filter"};
    arguments.push_back(filter);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return succeed(arguments);
  }
  static void fails(int code, const std::string& sentence,
                    const std::vector<std::string>& arguments) {
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(sentence));
  }
  TemporaryFolder folder_;
};

TEST_F(BenchCommandTest, RowsOfOpsHaveRatesAndSharesOfWhatWasMeasured) {
  const json result = measure("^(linear_output|layer_norm|weighted_sum)/full/", {"--dtype", "f32"});
  const auto rows = rows_of(result);
  ASSERT_EQ(rows.size(), 6u);
  const double fma = result["peaks"]["fma_f32_gflops"], copy = result["peaks"]["copy_gb_per_s"];
  EXPECT_GT(fma, 0);
  EXPECT_GT(copy, 0);
  EXPECT_GT(result["peak_memory_bytes"], 1 << 20);
  const json& product = rows.at("linear_output/full/forward/f32");
  // 257 states of a cell, 512 columns to 128.
  EXPECT_NEAR(product["gflops"].get<double>() * product["seconds"].get<double>(),
              2e-9 * 257 * 512 * 128, 1e-9);
  EXPECT_NEAR(product["share_of_peak"].get<double>(), product["gflops"].get<double>() / fma, 1e-9);
  EXPECT_GT(product["share_of_library"], 0);
  EXPECT_EQ(product["repetitions"], 2);
  EXPECT_LE(product["fastest"], product["seconds"]);
  EXPECT_GE(product["slowest"], product["seconds"]);
  const json& norm = rows.at("layer_norm/full/backward/f32");
  EXPECT_EQ(norm["peak"], "copy");
  EXPECT_NEAR(norm["gb_per_s"].get<double>() * norm["seconds"].get<double>(),
              1e-9 * 3 * 256 * 128 * 4, 1e-12);
  EXPECT_FALSE(norm.contains("share_of_library"));
  EXPECT_FALSE(rows.at("weighted_sum/full/forward/f32").contains("peak"));
}

TEST_F(BenchCommandTest, EveryOpRunsInBothDtypesOnBothBatches) {
  const auto rows = rows_of(measure("/(forward|backward)/(f32|bf16)$"));
  for (const auto& [name, row] : rows) {
    EXPECT_GT(row["seconds"], 0) << name;
    EXPECT_TRUE(std::isfinite(row["seconds"].get<double>())) << name;
  }
  for (const char* op : {"linear_gene_decoder", "attention", "dropout_residual_layer_norm",
                         "cross_entropy", "table_embedding"})
    for (const char* rest : {"/full/forward/f32", "/full/backward/bf16", "/mix/backward/f32"})
      EXPECT_THAT(rows, Contains(Key(op + std::string(rest))));
}

TEST_F(BenchCommandTest, PhasesAddUpToTheStep) {
  const auto rows = rows_of(measure("^step/mix/bf16$", {"--dtype", "bf16"}));
  const json& step = rows.at("step/mix/bf16");
  EXPECT_NEAR(step["cells_per_s"].get<double>() * step["seconds"].get<double>(), 4, 1e-6);
  double fastest = 0, slowest = 0, shares = 0;
  for (const auto& [name, row] : rows) {
    if (!row.contains("share_of_step")) continue;
    fastest += row["fastest"].get<double>();
    slowest += row["slowest"].get<double>();
    shares += row["share_of_step"].get<double>();
  }
  EXPECT_NEAR(shares, 1, 1e-9);
  EXPECT_LT(fastest, step["slowest"]);
  EXPECT_GT(slowest, 0.9 * step["fastest"].get<double>());
  for (const char* phase :
       {"token_table/linear/backward", "encoder/attention/forward", "heads/cross_entropy/backward"})
    EXPECT_THAT(rows, Contains(Key("step/mix/" + std::string(phase) + "/bf16")));
  for (const char* pass : {"zero_gradients", "gradient_norm", "adamw", "data"})
    EXPECT_THAT(rows, Contains(Key("step/mix/" + std::string(pass) + "/bf16")));
}

TEST_F(BenchCommandTest, CellsPerSecondOfTheDataPathAndOfEmbeddings) {
  const auto rows = rows_of(measure("^(tokenize|loader|embed/full/f32|adamw/f32)$"));
  EXPECT_EQ(rows.size(), 4u);
  EXPECT_GT(rows.at("tokenize")["cells_per_s"], 1);
  EXPECT_GT(rows.at("loader")["tokens_per_s"], 1);
  EXPECT_GT(rows.at("embed/full/f32")["cells_per_s"], 0);
  EXPECT_GT(rows.at("adamw/f32")["gb_per_s"], 0);
}

TEST_F(BenchCommandTest, TheResultIsWrittenWithItsConditions) {
  measure("^tanh/full/forward/f32$", {"--out", path("result.json"), "--threads", "1"});
  std::ifstream stream(folder_ / "result.json");
  const json written = json::parse(stream, nullptr, false);
  EXPECT_EQ(written["threads"], 1);
  EXPECT_EQ(written["shape"], "small");
  for (const char* key : {"date", "processor", "cores", "build", "peaks", "rows"})
    EXPECT_TRUE(written.contains(key)) << key;
}

TEST_F(BenchCommandTest, ComparesRowsOfOneName) {
  const std::string before =
      result("before.json", {{"a", 1.0}, {"b", 1.0}, {"c", 1.0}, {"d", 1.0}});
  const std::string after =
      result("after.json", {{"a", 1.3}, {"b", 1.05}, {"c", 0.5}, {"e", 1.0}}, 4);
  const json compared = succeed({"bench", "compare", before, after});
  auto rows = rows_of(compared);
  EXPECT_EQ(rows.at("a")["verdict"], "slower");
  EXPECT_DOUBLE_EQ(rows.at("a")["ratio"], 1.3);
  EXPECT_EQ(rows.at("b")["verdict"], "");
  EXPECT_EQ(rows.at("c")["verdict"], "faster");
  EXPECT_EQ(compared["slower"], 1);
  EXPECT_THAT(compared["removed"], ElementsAre("d"));
  EXPECT_THAT(compared["added"], ElementsAre("e"));
  EXPECT_THAT(compared["other_conditions"], ElementsAre("threads: 2, then 4"));
}

TEST_F(BenchCommandTest, FailsOnSlowerRowsOnlyWhenAsked) {
  const std::string before = result("before.json", {{"a", 1.0}});
  const std::string after = result("after.json", {{"a", 1.3}});
  succeed({"bench", "compare", before, after});
  succeed({"bench", "compare", before, after, "--fail"}, 1);
  succeed({"bench", "compare", before, after, "--fail", "--tolerance", "0.5"});
  succeed({"bench", "compare", after, before, "--fail"});
}

TEST_F(BenchCommandTest, RefusesFilesThatAreNoResults) {
  const std::string good = result("good.json", {{"a", 1.0}});
  fails(3, "not a result of lodestone bench",
        {"bench", "compare", good, file("no.json", "{ rows")});
  fails(3, "not a result of lodestone bench", {"bench", "compare", file("list.json", "[]"), good});
  const std::string row = R"({"rows": [{"name": "a", "seconds": 0}]})";
  fails(3, "\"seconds\" above 0", {"bench", "compare", good, file("zero.json", row)});
  fails(3, "there is no such file", {"bench", "compare", good, path("absent.json")});
  fails(2, "after is required", {"bench", "compare", good});
}

TEST_F(BenchCommandTest, RefusesImpossibleSettings) {
  fails(2, "expected base or small", {"bench", "--shape", "large"});
  fails(2, "expected f32, bf16 or both", {"bench", "--dtype", "f64"});
  fails(2, "not a regular expression", {"bench", "--filter", "("});
  fails(2, "repetitions: expected 1 to 1000", {"bench", "--repetitions", "0"});
  fails(2, "no row's name has 'nothing'",
        {"bench", "--shape", "small", "--filter", "nothing", "--quiet"});
  fails(2, "did you mean 'compare'", {"bench", "compar", "a", "b"});
}

}  // namespace
