// Simulating and tokenising, struck again and again and started again until their end, must end as
// if nothing had happened: the same files, bit for bit; and at no time is there half an output.
//   LODESTONE_FAULT_ROUNDS  rounds of each kind; default 2
//   LODESTONE_FAULT_SEED    of the random times; default: another one each time, printed
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "tests/testing/faults.h"
#include "tests/testing/run_lodestone.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using testing::Ending;
using testing::Fault;
using testing::Process;

constexpr int kOk = 0, kRuntime = 1, kNoRoom = 4;  // exit codes

using Random = std::mt19937_64;
using Calls = std::map<std::string, long>;  // number of calls by kind

long draw(Random& random, long first, long last) {
  return std::uniform_int_distribution<long>(first, std::max(first, last))(random);
}

// The bytes of an output, by file; of a manifest, what does not tell of the run. A kill while the
// manifest is written into a finished output leaves its staged file: hidden, and no part of it.
std::map<std::string, std::string> essence_of(const fs::path& output) {
  std::map<std::string, std::string> essence;
  for (const auto& entry : fs::recursive_directory_iterator(output)) {
    const std::string name = entry.path().lexically_relative(output).string();
    if (name.starts_with(".manifest.json.staged")) continue;
    if (name != "manifest.json") {
      essence[name] = hash_file(entry.path());
      continue;
    }
    const auto manifest = nlohmann::json::parse(read_text(entry.path()));
    for (const char* key : {"shards", "tokenize"})
      if (manifest.contains(key)) essence[key] = manifest[key].dump();
  }
  return essence;
}

// How often and when a process is struck.
struct Kind {
  std::string name, what;
  std::vector<std::string> at;  // kinds of calls; "ms": at any moment
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"kill -9 at any moment", "kill", {"ms"}},
      {"kill -9 at a call", "kill", {"write", "create", "fsync", "rename", "remove"}},
      {"power loss at any moment", "power", {"ms"}},
      {"power loss at a call", "power", {"write", "create", "fsync", "rename", "remove"}},
      {"disk full", "ENOSPC", {"write"}},
      {"write error", "EIO", {"write", "fsync", "rename"}},
      {"read error", "EIO", {"read"}}};
  return all;
}

struct Undisturbed {
  std::map<std::string, std::string> essence;
  long milliseconds = 0;
  Calls calls;
};

Fault fault_of(const Kind& kind, Random& random, const Undisturbed& expected) {
  const std::string& at =
      kind.at[static_cast<std::size_t>(draw(random, 1, std::ssize(kind.at)) - 1)];
  Fault fault{.what = kind.what, .at = {}, .in = {}, .lasts = 0, .seed = random()};
  const long last = at == "ms" ? expected.milliseconds : expected.calls.at(at);
  fault.at = fmt::format("{}:{}", at, draw(random, 1, last));
  if (kind.what == "ENOSPC" && draw(random, 0, 2) > 0) fault.lasts = draw(random, 1, 60);
  return fault;
}

// An ending that this fault may not have.
std::string unexpected(const Fault& fault, const Ending& ending) {
  if (ending.exit == kOk) return "";
  if (fault.what == "ENOSPC") return ending.exit == kNoRoom ? "" : "not \"disk full\"";
  if (fault.what == "EIO") return ending.exit == kRuntime ? "" : "no run-time error";
  return ending.signal == SIGKILL ? "" : "not killed";
}

class PreparationFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::have_fault_shim())
      GTEST_SKIP() << "needs the binary and the shim; run it by CTest";
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  Undisturbed undisturbed(std::vector<std::string> command) const {
    Undisturbed found;
    const fs::path out = folder_ / "out";
    const auto start = std::chrono::steady_clock::now();
    Process process(command, folder_.path(), {});
    const Ending ending = process.wait();
    EXPECT_EQ(ending.exit, kOk) << ending.err;
    found.milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::steady_clock::now() - start)
                             .count();
    found.calls = process.calls();
    found.essence = essence_of(out);
    return found;
  }

  // Strikes a job twice, then lets it come to its end. What is wrong with it; empty: nothing.
  std::string round(const std::vector<std::string>& command, const Kind& kind, Random& random,
                    const Undisturbed& expected, int& struck, int& continued) const {
    const fs::path out = folder_ / "out";
    fs::remove_all(out);
    fs::remove_all(path("out.partial"));
    std::string story;
    for (int attempt = 0; attempt < 3 && !fs::exists(out); ++attempt) {
      const Fault fault = attempt < 2 ? fault_of(kind, random, expected) : Fault{};
      const Ending ending = testing::run_with_fault(command, folder_.path(), fault);
      story += fmt::format("{}: exit {}, killed by {}\n{}", fault.text(), ending.exit,
                           ending.signal, ending.err);
      struck += ending.exit != kOk ? 1 : 0;
      continued += ending.err.find("continues after") != std::string::npos ? 1 : 0;
      if (const std::string wrong = unexpected(fault, ending); !wrong.empty())
        return wrong + "\n" + story;
    }
    if (!fs::exists(out)) return "no output\n" + story;
    return essence_of(out) == expected.essence ? "" : "another output\n" + story;
  }

  void strike_all(const std::string& name, const std::vector<std::string>& command) const {
    const char* rounds_given = std::getenv("LODESTONE_FAULT_ROUNDS");
    const char* seed_given = std::getenv("LODESTONE_FAULT_SEED");
    const int rounds = rounds_given ? std::atoi(rounds_given) : 2;
    const std::uint64_t seed =
        seed_given ? std::strtoull(seed_given, nullptr, 10) : std::random_device()();
    Random random(seed);
    const Undisturbed expected = undisturbed(command);
    fmt::print("{}: LODESTONE_FAULT_SEED={}, undisturbed: {} ms\n{:<34} {:>6} {:>6} {:>9} {:>6}\n",
               name, seed, expected.milliseconds, "", "rounds", "struck", "continued", "lost");
    for (const Kind& kind : kinds()) {
      int struck = 0, continued = 0, lost = 0;
      for (int i = 0; i < rounds; ++i) {
        const std::string fault = round(command, kind, random, expected, struck, continued);
        lost += fault.empty() ? 0 : 1;
        EXPECT_EQ(fault, "") << kind.name;
      }
      fmt::print("{:<34} {:>6} {:>6} {:>9} {:>6}\n", kind.name, rounds, struck, continued, lost);
      std::fflush(stdout);
    }
  }

  testing::TemporaryFolder folder_;
};

TEST_F(PreparationFaults, ASimulationIsWholeOrAbsent) {
  // 20,000 genes make blocks of 50 cells.
  strike_all("simulate", {"simulate", "--out", path("out"), "--cells", "120", "--genes", "20000",
                          "--save-cells", "1", "--threads", "2"});
}

TEST_F(PreparationFaults, ATokenDirectoryIsWholeOrAbsent) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"simulate", "--out", path("cells"), "--cells", "1500", "--genes", "400", "--quiet"},
           {"vocab", "--genes", path("cells/genes_human.tsv"), "--genes",
            path("cells/genes_mouse.tsv"), "--orthologs", path("cells/orthologs.tsv"), "--out",
            path("vocab.json"), "--quiet"}})
    ASSERT_EQ(testing::run_lodestone(command).exit, kOk);
  strike_all("tokenize", {"tokenize", path("cells/human.h5ad"), path("cells/mouse.h5ad"), "--vocab",
                          path("vocab.json"), "--out", path("out"), "--cells-per-shard", "700",
                          "--save-cells", "100", "--threads", "2"});
}

}  // namespace
}  // namespace lodestone
