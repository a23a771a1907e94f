// A training run, struck again and again and resumed until its end, must end as if nothing had
// happened: weights, moments and metrics, bit for bit.
//   LODESTONE_FAULT_ROUNDS  rounds of each kind; default 2
//   LODESTONE_FAULT_SEED    of the random times; default: another one each time, printed
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/io/files.h"
#include "tests/data/token_cells.h"
#include "tests/testing/event_reader.h"
#include "tests/testing/faults.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using testing::Ending;
using testing::Fault;
using testing::Process;

constexpr int kOk = 0, kNoRoom = 4, kRequeue = 75;  // exit codes
constexpr const char* kLastCheckpoint = "checkpoints/step-00000060";
constexpr const char* kSettings = R"(
steps = 60
held_out = 0.2
validate_every = 20
save_every = 7
report_every = 30
[model]
hidden = 32
layers = 1
heads = 1
intermediate = 64
max_positions = 32
[loader]
batch_cells = 8
max_length = 32
micro_batch_tokens = 100
[schedule]
warmup_steps = 5
)";

using Random = std::mt19937_64;
using Calls = std::map<std::string, long>;  // number of calls by kind

long draw(Random& random, long first, long last) {
  return std::uniform_int_distribution<long>(first, std::max(first, last))(random);
}

std::vector<nlohmann::json> metrics_of(const fs::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_text(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

// What of a run may not depend on how often it was struck, by name.
std::map<std::string, std::string> essence_of(const fs::path& run) {
  std::map<std::string, std::string> essence;
  essence["model"] = hash_file(run / "model/model.safetensors");
  for (const char* file : {"masters.safetensors", "first_moments.safetensors",
                           "second_moments.safetensors", "state.json"})
    essence[file] = hash_file(run / kLastCheckpoint / file);
  for (nlohmann::json& line : metrics_of(run)) {
    for (const char* key :
         {"tokens_per_s", "cells_per_s", "tflops", "mfu", "data_wait_ms", "memory_bytes"})
      line.erase(key);
    essence["metrics.jsonl"] += line.dump() + "\n";
  }
  for (const std::string& line : testing::shown_scalars(run / "tensorboard"))
    if (!line.starts_with("speed/")) essence["tensorboard"] += line + "\n";
  return essence;
}

std::string differences(const std::map<std::string, std::string>& expected,
                        const std::map<std::string, std::string>& found) {
  std::string names;
  for (const auto& [name, value] : expected)
    if (!found.contains(name) || found.at(name) != value) names += name + " ";
  return names;
}

// What was learned from a run that nothing happened to.
struct Undisturbed {
  std::map<std::string, std::string> essence;
  long milliseconds = 0;
  Calls anywhere, in_checkpoints, in_metrics;
};

// How a process is struck: by the shim, or by a signal after some milliseconds.
struct Strike {
  Fault fault;
  int signal = 0;
  long after = 0;
  std::string text() const {
    return signal ? fmt::format("signal {} after {} ms", signal, after) : fault.text();
  }
};

Fault at_call(Random& random, const std::string& what, const std::string& in, const Calls& calls,
              const std::vector<std::string>& kinds) {
  const std::string kind = kinds[static_cast<std::size_t>(draw(random, 1, std::ssize(kinds)) - 1)];
  Fault fault{.what = what, .at = {}, .in = in, .lasts = 0, .seed = random()};
  fault.at = fmt::format("{}:{}", kind, draw(random, 1, calls.at(kind)));
  return fault;
}

Strike after_a_while(Random& random, const Undisturbed& run, int signal) {
  return {{}, signal, draw(random, 1, run.milliseconds)};
}

Strike full_disk(Random& random, const std::string& in, const Calls& calls) {
  Strike strike{at_call(random, "ENOSPC", in, calls, {"write"})};
  if (draw(random, 0, 2) > 0) strike.fault.lasts = draw(random, 1, 60);  // there is room again
  return strike;
}

struct Kind {
  std::string name;
  std::function<Strike(Random&, const Undisturbed&)> strike;
};

std::vector<Kind> kinds() {
  return {
      {"kill -9 at any moment",
       [](Random& r, const Undisturbed& run) { return after_a_while(r, run, SIGKILL); }},
      {"kill -9 in a save",
       [](Random& r, const Undisturbed& run) {
         return Strike{at_call(r, "kill", "checkpoints", run.in_checkpoints,
                               {"write", "create", "fsync", "remove"})};
       }},
      {"kill -9 between rename and fsync",
       [](Random& r, const Undisturbed& run) {
         return Strike{at_call(r, "kill", "", run.anywhere, {"rename"})};
       }},
      {"power loss at any moment",
       [](Random& r, const Undisturbed& run) {
         const long after = draw(r, 1, run.milliseconds);
         return Strike{{.what = "power",
                        .at = fmt::format("ms:{}", after),
                        .in = {},
                        .lasts = 0,
                        .seed = r()}};
       }},
      {"power loss in a save",
       [](Random& r, const Undisturbed& run) {
         return Strike{at_call(r, "power", "checkpoints", run.in_checkpoints,
                               {"write", "create", "fsync", "rename", "remove"})};
       }},
      {"disk full in a save",
       [](Random& r, const Undisturbed& run) {
         return full_disk(r, "checkpoints", run.in_checkpoints);
       }},
      {"disk full in metrics",
       [](Random& r, const Undisturbed& run) {
         return full_disk(r, "metrics.jsonl", run.in_metrics);
       }},
      {"write error",
       [](Random& r, const Undisturbed& run) {
         return Strike{at_call(r, "EIO", "", run.anywhere, {"write", "fsync", "rename"})};
       }},
      {"SIGTERM at any moment",
       [](Random& r, const Undisturbed& run) { return after_a_while(r, run, SIGTERM); }},
      {"SIGUSR1 at any moment",
       [](Random& r, const Undisturbed& run) { return after_a_while(r, run, SIGUSR1); }},
  };
}

class PretrainingFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::have_fault_shim())
      GTEST_SKIP() << "needs the binary and the shim; run it by CTest";
    testing::make_directory(folder_ / "tokens", 60, 32);
    write_text(folder_ / "settings.toml", kSettings);
  }

  void TearDown() override { fs::remove_all(folder_.path().string() + ".kept"); }  // the shim's

  // The same for a run's first start and all later ones.
  std::vector<std::string> command(const fs::path& run) const {
    return {"pretrain",   "--data",   (folder_ / "tokens").string(),        "--out",
            run.string(), "--config", (folder_ / "settings.toml").string(), "--resume",
            "--threads",  "2"};
  }

  Undisturbed undisturbed() const {
    Undisturbed found;
    const auto calls = [&](const std::string& in) {
      const fs::path run = folder_ / "undisturbed";
      fs::remove_all(run);
      const auto start = std::chrono::steady_clock::now();
      Process process(command(run), folder_.path(), {.what = {}, .at = {}, .in = in});
      EXPECT_EQ(process.wait().exit, kOk);
      found.milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(
                               std::chrono::steady_clock::now() - start)
                               .count();
      found.essence = essence_of(run);
      return process.calls();
    };
    found.anywhere = calls("");
    found.in_checkpoints = calls("checkpoints");
    found.in_metrics = calls("metrics.jsonl");
    return found;
  }

  Ending start(const fs::path& run, const Strike& strike) const {
    Process process(command(run), folder_.path(), strike.fault);
    if (strike.signal) {
      std::this_thread::sleep_for(std::chrono::milliseconds(strike.after));
      process.send(strike.signal);
    }
    return process.wait();
  }

  // Strikes a run twice, then lets it come to its end. What is wrong with it then; empty: nothing.
  std::string round(const Kind& kind, Random& random, const Undisturbed& expected,
                    int& struck) const {
    const fs::path run = folder_ / "run";
    fs::remove_all(run);
    fs::remove_all(folder_.path().string() + ".kept");
    std::string story;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Strike strike = kind.strike(random, expected);
      const Ending ending = start(run, strike);
      story += fmt::format("{}: exit {}, killed by {}\n{}", strike.text(), ending.exit,
                           ending.signal, ending.err);
      const bool noticed = ending.err.find("the disk is full") != std::string::npos ||
                           ending.err.find("could not be written") != std::string::npos;
      struck += ending.exit != kOk || noticed ? 1 : 0;
      if (const std::string fault = unexpected(run, strike, ending); !fault.empty())
        return fault + "\n" + story;
    }
    const Ending ending = start(run, {});
    story += ending.err;
    if (ending.exit != kOk) return fmt::format("exit {} when resumed\n{}", ending.exit, story);
    // A name that a checkpoint or a line once had is not given up again.
    for (const char* loss : {"is passed over", "are missing"})
      if (story.find(loss) != std::string::npos) return fmt::format("{}\n{}", loss, story);
    const std::string lost = differences(expected.essence, essence_of(run));
    return lost.empty() ? "" : fmt::format("differs in {}\n{}", lost, story);
  }

  // An ending that this strike may not have.
  static std::string unexpected(const fs::path& run, const Strike& strike, const Ending& ending) {
    if (ending.exit == kOk) return "";
    if (strike.signal == SIGKILL || strike.fault.what == "kill" || strike.fault.what == "power")
      return ending.signal == SIGKILL ? "" : "not killed";
    if (strike.fault.what == "ENOSPC") return ending.exit == kNoRoom ? "" : "not \"disk full\"";
    if (strike.fault.what == "EIO") return ending.exit == 1 ? "" : "no run-time error";
    // Before it began to work, and so to speak, a signal ends a process as any other.
    if (ending.signal == strike.signal) return ending.err.empty() ? "" : "killed";
    if (ending.exit != kRequeue) return "not stopped";
    const std::string saved = read_text(run / "checkpoints/latest");
    const auto lines = metrics_of(run);
    const std::int64_t done = lines.empty() ? 0 : lines.back()["step"].get<std::int64_t>();
    return saved == fmt::format("step-{:08}\n", done) ? "" : "stopped without saving";
  }

  testing::TemporaryFolder folder_;
};

std::uint64_t seed() {
  const char* given = std::getenv("LODESTONE_FAULT_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

TEST_F(PretrainingFaults, NothingIsLost) {
  const char* given = std::getenv("LODESTONE_FAULT_ROUNDS");
  const int rounds = given ? std::atoi(given) : 2;
  const std::uint64_t first = seed();
  Random random(first);
  fmt::print("LODESTONE_FAULT_SEED={}\n", first);
  const Undisturbed expected = undisturbed();
  fmt::print("undisturbed: {} ms\n{:<34} {:>6} {:>6} {:>6}\n", expected.milliseconds, "", "rounds",
             "struck", "lost");
  for (const Kind& kind : kinds()) {
    int struck = 0, lost = 0;
    for (int i = 0; i < rounds; ++i) {
      const std::string fault = round(kind, random, expected, struck);
      lost += fault.empty() ? 0 : 1;
      EXPECT_EQ(fault, "") << kind.name;
    }
    fmt::print("{:<34} {:>6} {:>6} {:>6}\n", kind.name, rounds, struck, lost);
    std::fflush(stdout);
  }
}

// As if nothing were ever flushed: losses must be seen, or the rounds above show nothing.
TEST_F(PretrainingFaults, RoundsOnADiskThatLiesAreNoticed) {
  const Undisturbed expected = undisturbed();
  const Kind kind{
      "power loss", [](Random& r, const Undisturbed& run) {
        Strike strike{at_call(r, "power", "checkpoints", run.in_checkpoints, {"rename"})};
        strike.fault.disk_lies = true;
        return strike;
      }};
  Random random(1);
  int struck = 0, lost = 0;
  for (int i = 0; i < 20 && lost == 0; ++i)
    lost += round(kind, random, expected, struck).empty() ? 0 : 1;
  EXPECT_EQ(lost, 1);
}

// A small disk of its own: two checkpoints find room there, a third does not.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path path) : path_(std::move(path)) { fs::create_directory(path_); }
  ~SmallDisk() { ::umount(path_.c_str()); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool resize(std::uintmax_t bytes, unsigned long flags) const {
    return ::mount("none", path_.c_str(), "tmpfs", flags, fmt::format("size={}", bytes).c_str()) ==
           0;
  }

 private:
  fs::path path_;
};

std::uintmax_t bytes_of(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

TEST_F(PretrainingFaults, ADiskThatIsTooSmall) {
  const fs::path straight = folder_ / "straight", run = folder_ / "disk/run";
  ASSERT_EQ(start(straight, {}).exit, kOk);
  const std::uintmax_t checkpoint = bytes_of(straight / kLastCheckpoint), slack = 1 << 20;
  const SmallDisk disk(folder_ / "disk");
  if (!disk.resize(slack + checkpoint * 5 / 2, 0))
    GTEST_SKIP() << "needs root, to mount a small disk";
  const Ending ending = start(run, {});
  EXPECT_EQ(ending.exit, kNoRoom);
  EXPECT_THAT(ending.err, ContainsRegex("checkpoints: [0-9.]+ MB are needed and the disk has"));
  EXPECT_EQ(read_text(run / "checkpoints/latest"), "step-00000014\n");
  EXPECT_EQ(metrics_of(run).back()["step"], 60);
  ASSERT_TRUE(disk.resize(slack + checkpoint * 10, MS_REMOUNT));
  EXPECT_EQ(start(run, {}).exit, kOk);
  EXPECT_EQ(differences(essence_of(straight), essence_of(run)), "");
}

}  // namespace
}  // namespace lodestone
