// The frame of all commands, through the binary itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace {

using lodestone::testing::have_lodestone;
using lodestone::testing::Outcome;
using lodestone::testing::run_lodestone;
using lodestone::testing::TemporaryFolder;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class CommandLineTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_lodestone()) GTEST_SKIP() << "LODESTONE_BINARY does not name the lodestone binary";
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  // The names under "Commands:" of a help text.
  static std::vector<std::string> commands_of(const std::string& help) {
    std::vector<std::string> names;
    std::istringstream lines(help);
    bool in_list = false;
    for (std::string line; std::getline(lines, line);) {
      if (line == "Commands:") {
        in_list = true;
      } else if (line.empty()) {
        in_list = false;
      } else if (in_list && line.starts_with("  ") && line[2] != ' ') {
        names.push_back(line.substr(2, line.find(' ', 2) - 2));
      }
    }
    return names;
  }
  TemporaryFolder folder_;
};

// One sentence on stderr, nothing on stdout.
void expect_failure(const Outcome& outcome, int code, const std::string& sentence) {
  EXPECT_EQ(outcome.exit, code) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("lodestone: "));
  EXPECT_THAT(outcome.err, HasSubstr(sentence));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(CommandLineTest, VersionIsPrintedByTheProgramAndByEveryCommand) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--version"}, {"doctor", "--version"}}) {
    const Outcome outcome = run_lodestone(arguments);
    EXPECT_EQ(outcome.exit, 0);
    EXPECT_THAT(outcome.out, StartsWith("lodestone 0."));
  }
}

TEST_F(CommandLineTest, EveryCommandHelps) {
  const Outcome all = run_lodestone({"--help"});
  ASSERT_EQ(all.exit, 0);
  const std::vector<std::string> names = commands_of(all.out);
  EXPECT_GE(names.size(), 5u);
  for (const std::string& name : names) {
    const Outcome help = run_lodestone({name, "--help"});
    EXPECT_EQ(help.exit, 0) << name;
    if (const auto nested = commands_of(help.out); !nested.empty()) {
      for (const std::string& command : nested) {
        const Outcome inner = run_lodestone({name, command, "--help"});
        EXPECT_EQ(inner.exit, 0) << name << " " << command;
        EXPECT_THAT(inner.out, HasSubstr("--print-config"));
      }
    } else {
      EXPECT_THAT(help.out, HasSubstr("--print-config")) << name;
      EXPECT_THAT(help.out, HasSubstr("--seed N [42]")) << name;
    }
  }
}

TEST_F(CommandLineTest, UnknownCommandsAndOptionsGetASuggestion) {
  expect_failure(run_lodestone({"docter"}), 2, "did you mean 'doctor'?");
  expect_failure(run_lodestone({}), 2, "--help");
  expect_failure(run_lodestone({"doctor", "--sed", "3"}), 2, "did you mean '--seed'?");
  expect_failure(run_lodestone({"doctor", "stray"}), 2, "unexpected argument 'stray'");
  expect_failure(run_lodestone({"infer"}), 2, "--model is required");
}

TEST_F(CommandLineTest, UnknownSettingsGetASuggestion) {
  expect_failure(run_lodestone({"infer", "--set", "batch_token=3"}), 2,
                 "did you mean 'batch_tokens'?");
  const std::string settings = file("settings.toml", "batch_tokns = 3\n");
  const Outcome outcome = run_lodestone({"infer", "--config", settings});
  expect_failure(outcome, 2, "did you mean 'batch_tokens'?");
  EXPECT_THAT(outcome.err, HasSubstr("settings.toml, line 1"));
}

TEST_F(CommandLineTest, WrongTypesAndValuesAreUsageErrors) {
  expect_failure(run_lodestone({"doctor", "--threads", "two"}), 2, "--threads: threads = 'two'");
  expect_failure(run_lodestone({"doctor", "--threads", "5000"}), 2, "1 to 1024");
  expect_failure(run_lodestone({"doctor", "--seed", "-1"}), 2, "from 0");
  expect_failure(run_lodestone({"doctor", "--device", "tpu"}), 2, "cuda:N");
  expect_failure(run_lodestone({"doctor", "--config", "none.toml"}), 2, "none.toml");
  expect_failure(run_lodestone({"doctor", "--set", "threads"}), 2, "KEY=VALUE");
  expect_failure(run_lodestone({"doctor"}, {"LODESTONE_THREADS=many"}), 2, "LODESTONE_THREADS");
  expect_failure(run_lodestone({"doctor", "--config", file("bad.toml", "threads = \"x\"\n")}), 2,
                 "whole number");
}

TEST_F(CommandLineTest, ACudaDeviceThatIsNotThereIsRefused) {
  expect_failure(run_lodestone({"doctor", "--device", "cuda:99"}), 2, "use cpu");
}

TEST_F(CommandLineTest, MissingAndBadInputsAreBadInput) {
  const std::string missing = (folder_ / "missing.h5ad").string();
  expect_failure(run_lodestone({"inspect", missing}), 3, missing);
  expect_failure(run_lodestone({"inspect", file("text.h5ad", "no HDF5")}), 3, "text.h5ad");
  expect_failure(run_lodestone({"inspect", file("vocab.json", "{")}), 3, "vocab.json");
}

TEST_F(CommandLineTest, PrintedSettingsCanBeReadBack) {
  const Outcome first = run_lodestone({"infer", "--print-config", "--set", "batch_tokens=77",
                                       "--model", "a \"b\"", "--no-deterministic", "--logits"});
  ASSERT_EQ(first.exit, 0);
  EXPECT_THAT(first.out, HasSubstr("batch_tokens = 77"));
  EXPECT_THAT(first.out, HasSubstr("deterministic = false"));
  const Outcome second =
      run_lodestone({"infer", "--print-config", "--config", file("printed.toml", first.out)});
  EXPECT_EQ(second.out, first.out);
}

TEST_F(CommandLineTest, LaterSourcesWin) {
  const auto threads = [&](std::vector<std::string> arguments,
                           const std::vector<std::string>& environment) {
    arguments.insert(arguments.begin(), {"doctor", "--print-config"});
    const std::string out = run_lodestone(arguments, environment).out;
    const std::size_t at = out.find("threads = ");
    return at == std::string::npos ? "" : out.substr(at + 10, out.find(' ', at + 10) - at - 10);
  };
  const std::string settings = file("settings.toml", "threads = 1\n");
  EXPECT_EQ(threads({}, {}), "0");
  EXPECT_EQ(threads({"--config", settings}, {}), "1");
  EXPECT_EQ(threads({"--config", settings}, {"LODESTONE_THREADS=2"}), "2");
  EXPECT_EQ(threads({"--config", settings, "--set", "threads=3"}, {"LODESTONE_THREADS=2"}), "3");
  EXPECT_EQ(threads({"--threads", "4", "--config", settings, "--set", "threads=3"},
                    {"LODESTONE_THREADS=2"}),
            "4");
}

TEST_F(CommandLineTest, DoctorAnswersInJson) {
  const Outcome outcome = run_lodestone({"doctor", "--json"});
  ASSERT_EQ(outcome.exit, 0);
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_THAT(json["build"][0]["found"].get<std::string>(), StartsWith("lodestone 0."));
  EXPECT_TRUE(json.contains("cpu"));
  EXPECT_TRUE(json.contains("gpu"));
}

TEST_F(CommandLineTest, DryRunWritesNothing) {
  const std::string input = file("batch.h5", "not looked into");
  const std::string model = file("model", "neither");
  const std::string output = (folder_ / "out.h5").string();
  const Outcome outcome = run_lodestone(
      {"infer", "--model", model, "--input", input, "--output", output, "--dry-run", "--json"});
  ASSERT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["writes"][0], output);
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST_F(CommandLineTest, OutputsThatAreInputsAreRefused) {
  const std::string same = file("batch.h5", "x");
  const std::string model = file("model", "x");
  expect_failure(run_lodestone({"infer", "--model", model, "--input", same, "--output", same}), 2,
                 "the same");
}

}  // namespace
