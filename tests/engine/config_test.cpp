#include "engine/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace lodestone::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct LoaderSettings {
  std::int64_t batch_cells = 32;
  double mask_probability = 0.15;
  template <class Visitor>
  void fields(Visitor& visit) {
    visit("batch_cells", batch_cells, "cells of a global batch");
    visit("mask_probability", mask_probability, "share of genes");
  }
};

struct Settings {
  LoaderSettings loader;  // a table before the root's own keys: TOML wants it after them
  std::string out = "a \"quoted\" name";
  std::uint64_t seed = 42;
  int threads = 0;
  float rate = 5e-5f;
  bool priors = true;
  std::vector<std::string> columns = {"type", "batch, or \\ donor"};
  template <class Visitor>
  void fields(Visitor& visit) {
    visit("loader", loader, "");
    visit("out", out, "output");
    visit("seed", seed, "of all randomness");
    visit("threads", threads, "CPU threads");
    visit("rate", rate, "peak learning rate");
    visit("priors", priors, "use them");
    visit("columns", columns, "labels kept");
  }
};

class ConfigTest : public testing::Test {
 protected:
  ConfigTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("lodestone-config-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(const std::string& text) {
    const auto path = folder_ / "settings.toml";
    std::ofstream(path) << text;
    return path;
  }
  void read(const std::string& toml) { apply_toml_file(fields_of(settings_), file(toml)); }
  void assign(const std::string& assignment) { apply_assignment(fields_of(settings_), assignment); }

  template <class F>
  static std::string message_of(F&& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
    return "nothing was thrown";
  }

  std::filesystem::path folder_;
  Settings settings_;
};

TEST_F(ConfigTest, FieldsHaveDottedPathsInOrder) {
  std::vector<std::string> paths;
  for (const Field& field : fields_of(settings_)) paths.push_back(field.path);
  EXPECT_THAT(paths, ElementsAre("loader.batch_cells", "loader.mask_probability", "out", "seed",
                                 "threads", "rate", "priors", "columns"));
}

TEST_F(ConfigTest, FileSetsEveryType) {
  read(R"(out = "elsewhere"
seed = 9223372036854775807
threads = 3
rate = 1e-3
priors = false
columns = ["x"]
[loader]
batch_cells = 64
mask_probability = 1
)");
  EXPECT_EQ(settings_.out, "elsewhere");
  EXPECT_EQ(settings_.seed, 9223372036854775807u);
  EXPECT_EQ(settings_.threads, 3);
  EXPECT_EQ(settings_.rate, 1e-3f);
  EXPECT_FALSE(settings_.priors);
  EXPECT_THAT(settings_.columns, ElementsAre("x"));
  EXPECT_EQ(settings_.loader.batch_cells, 64);
  EXPECT_EQ(settings_.loader.mask_probability, 1.0);
}

TEST_F(ConfigTest, PrintedSettingsReadBackTheSame) {
  settings_.loader.mask_probability = 0.1 + 0.2;
  settings_.rate = 1.0f / 3;
  settings_.seed = 9223372036854775807u;
  Settings read_back;
  read_back.out = "";
  read_back.columns.clear();
  apply_toml_file(fields_of(read_back), file(to_toml(fields_of(settings_))));
  EXPECT_THAT(differences(fields_of(settings_), fields_of(read_back)), ElementsAre());
}

TEST_F(ConfigTest, DifferencesNameTheFieldsThatDiffer) {
  Settings other;
  other.loader.batch_cells = 64;
  other.priors = false;
  EXPECT_THAT(differences(fields_of(settings_), fields_of(other)),
              ElementsAre("loader.batch_cells: 32 -> 64", "priors: true -> false"));
}

TEST_F(ConfigTest, JsonIsNested) {
  const auto json = nlohmann::json::parse(to_json(fields_of(settings_)));
  EXPECT_EQ(json["loader"]["batch_cells"], 32);
  EXPECT_EQ(json["out"], "a \"quoted\" name");
  EXPECT_EQ(json["columns"].size(), 2u);
}

TEST_F(ConfigTest, AssignmentsSetEveryType) {
  assign("loader.batch_cells=8");
  assign("out=b=c");
  assign("rate=2.5e-4");
  assign("priors=off");
  assign("columns=[\"p\", q]");
  EXPECT_EQ(settings_.loader.batch_cells, 8);
  EXPECT_EQ(settings_.out, "b=c");
  EXPECT_EQ(settings_.rate, 2.5e-4f);
  EXPECT_FALSE(settings_.priors);
  EXPECT_THAT(settings_.columns, ElementsAre("p", "q"));
}

TEST_F(ConfigTest, UnknownKeysAreErrorsWithASuggestion) {
  EXPECT_THAT(message_of([&] { read("[loader]\nbatch_cell = 3\n"); }),
              AllOf(HasSubstr("settings.toml, line 2"), HasSubstr("'loader.batch_cell'"),
                    HasSubstr("did you mean 'loader.batch_cells'?")));
  EXPECT_THAT(message_of([&] { read("[loder]\nbatch_cells = 3\n"); }), HasSubstr("'loder'"));
  EXPECT_THAT(message_of([&] { assign("batch_cells=3"); }),
              HasSubstr("did you mean 'loader.batch_cells'?"));
  EXPECT_THAT(message_of([&] { assign("zebra=3"); }), Not(HasSubstr("did you mean")));
}

TEST_F(ConfigTest, WrongTypesAndRangesSayWhatWasExpected) {
  EXPECT_THAT(message_of([&] { read("threads = \"two\"\n"); }),
              AllOf(HasSubstr("line 1"), HasSubstr("threads"), HasSubstr("two"),
                    HasSubstr("a whole number from -2147483648 to 2147483647")));
  EXPECT_THAT(message_of([&] { read("threads = 2147483648\n"); }), HasSubstr("whole number"));
  EXPECT_THAT(message_of([&] { read("threads = 1.5\n"); }), HasSubstr("whole number"));
  EXPECT_THAT(message_of([&] { read("rate = nan\n"); }), HasSubstr("a finite number"));
  EXPECT_THAT(message_of([&] { read("out = 3\n"); }), HasSubstr("expected text"));
  EXPECT_THAT(message_of([&] { read("columns = [1]\n"); }), HasSubstr("a list of texts"));
  EXPECT_THAT(message_of([&] { read("loader = 3\n"); }), HasSubstr("'loader'"));
  EXPECT_THAT(message_of([&] { assign("rate=1e60"); }), HasSubstr("a finite number"));
  EXPECT_THAT(message_of([&] { assign("seed=-1"); }), HasSubstr("a whole number from 0"));
  EXPECT_THAT(message_of([&] { assign("threads=3 "); }), HasSubstr("whole number"));
  EXPECT_THAT(message_of([&] { assign("priors=maybe"); }), HasSubstr("true or false"));
  EXPECT_THAT(message_of([&] { assign("threads"); }), HasSubstr("KEY=VALUE"));
}

TEST_F(ConfigTest, FilesThatAreNotSettingsAreErrors) {
  EXPECT_THAT(message_of([&] { read("a = \n"); }), HasSubstr("not valid TOML"));
  EXPECT_THAT(message_of([&] { apply_toml_file(fields_of(settings_), folder_ / "none.toml"); }),
              HasSubstr("no such settings file"));
}

TEST_F(ConfigTest, EnvironmentSetsKnownFieldsAndPassesOverOthers) {
  ::setenv("LODESTONE_LOADER__BATCH_CELLS", "16", 1);
  ::setenv("LODESTONE_UNRELATED", "x", 1);
  apply_environment(fields_of(settings_));
  EXPECT_EQ(settings_.loader.batch_cells, 16);
  ::setenv("LODESTONE_LOADER__BATCH_CELLS", "many", 1);
  EXPECT_THAT(message_of([&] { apply_environment(fields_of(settings_)); }),
              HasSubstr("environment variable LODESTONE_LOADER__BATCH_CELLS"));
  ::unsetenv("LODESTONE_LOADER__BATCH_CELLS");
  ::setenv("LODESTONE_LOADER__BATCHCELLS", "16", 1);
  EXPECT_THAT(message_of([&] { apply_environment(fields_of(settings_)); }),
              HasSubstr("did you mean 'LODESTONE_LOADER__BATCH_CELLS'?"));
  ::unsetenv("LODESTONE_LOADER__BATCHCELLS");
  ::unsetenv("LODESTONE_UNRELATED");
}

}  // namespace
}  // namespace lodestone::config
