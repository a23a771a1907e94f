// tools/gpu_check.sh with programs of our own in place of those that need a device: its stages,
// what it says of them, and what it leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/testing/temporary_folder.h"

namespace lodestone::tools {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// Two suites of kernels and one of an op; one that hangs or fails when a file beside it says so.
constexpr const char* kGpuTests = R"(#!/usr/bin/env bash
here=$(dirname "$0")
[[ -e $here/no_device ]] && { echo "skipped: no CUDA device on this machine"; exit 77; }
case $1 in
  --gtest_list_tests) printf 'TanhCuda.\n  Works\nLinearCuda/0.  # TypeParam = float\n  Works\nTanh.\n  Works\n' ;;
  --gtest_filter=TanhCuda.*)
    [[ -e $here/hang ]] && sleep 60
    [[ -e $here/fail ]] && { echo "row 3 differs"; exit 1; } ;;
  --gtest_filter=*IsMadeOnRequest) echo "add, inputs 00000001" >"$LODESTONE_RECORD_CONFORMANCE" ;;
esac
echo "[       OK ] it"
)";
// A run of the device has the CPU's numbers.
constexpr const char* kLodestone = R"(#!/usr/bin/env bash
while (($#)); do
  case $1 in
    pretrain) training=1 ;;
    bench) benching=1 ;;
    --out) out=$2 ;;
  esac
  shift
done
[[ -n ${training:-} ]] && { mkdir -p "$out/model"; echo weights >"$out/model/model.safetensors"; echo '{"step":1,"loss":2.5}' >"$out/metrics.jsonl"; }
[[ -n ${benching:-} ]] && echo '{"rows":[{"name":"copy"}]}' >"$out"
exit 0
)";
// Runs what it is given after its own options.
constexpr const char* kSanitizer = R"(#!/usr/bin/env bash
[[ $1 == --tool && $3 == --error-exitcode ]] && exec "${@:7}"
exit 2
)";
constexpr const char* kPython = R"(#!/usr/bin/env bash
while (($#)); do [[ $1 == --out ]] && echo '{"rows":[]}' >"$2"; shift; done
exit 0
)";
constexpr const char* kNvidiaSmi = "#!/bin/sh\necho 'A card, 580.1, 81559 MiB'\n";

class GpuCheck : public ::testing::Test {
 protected:
  GpuCheck() {
    std::filesystem::create_directory(folder_ / "bin");
    write("gpu_tests", kGpuTests);
    write("lodestone", kLodestone);
    write("compute-sanitizer", kSanitizer);
    write("python", kPython);
    write("nvidia-smi", kNvidiaSmi);
  }

  void write(const std::string& name, const std::string& text) const {
    const auto path = folder_ / "bin" / name;
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  // Its output; `exit_` is its exit code.
  std::string run(const std::string& options = "") {
    const std::string bin = folder_ / "bin";
    const std::string command = "PATH=" + bin + ":$PATH LODESTONE_PYTHON=" + bin +
                                "/python tools/gpu_check.sh --programs " + bin + " " + options +
                                " " + (folder_ / "results").string() + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t n = 0; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
      text.append(part.data(), n);
    const int status = ::pclose(pipe);
    exit_ = WEXITSTATUS(status);
    return text;
  }

  std::string result(const std::string& name) const {
    std::ifstream file(folder_ / "results" / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::vector<std::string> results() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "results"))
      names.push_back(entry.path().filename());
    return names;
  }

  testing::TemporaryFolder folder_;
  int exit_ = -1;
};

TEST_F(GpuCheck, EveryStagePassesAndLeavesItsFile) {
  const std::string text = run();
  EXPECT_EQ(exit_, 0) << text;
  for (const char* line :
       {"tests        passed in ", "3 of 3 suites passed, 0 failed", "memcheck     passed in ",
        "2 of 2 suites passed, 0 failed", "racecheck    passed in ", "1 instructions recorded",
        "twice the same bits; f32 losses differ from the CPU's by 0 ", "1 rows", "torch "})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("FAILED")));
  EXPECT_THAT(results(), UnorderedElementsAre("summary.txt", "tests.txt", "memcheck.txt",
                                              "racecheck.txt", "conformance_recording.txt",
                                              "same_bits.txt", "bench.json", "torch.json"));
  EXPECT_THAT(result("summary.txt"), HasSubstr("A card, 580.1"));
}

TEST_F(GpuCheck, OneFailureEndsNothingElse) {
  write("fail", "");
  const std::string text = run();
  EXPECT_EQ(exit_, 1);
  EXPECT_THAT(text, AllOf(HasSubstr("2 of 3 suites passed, 1 failed"),
                          HasSubstr("torch        passed in ")));
  EXPECT_THAT(result("tests.txt"), AllOf(HasSubstr("FAILED TanhCuda\nrow 3 differs"),
                                         HasSubstr("passed LinearCuda/0: 1 tests")));
}

TEST_F(GpuCheck, AStageThatHangsIsEndedAndWhatIsKnownIsWritten) {
  write("hang", "");
  const std::string text = run("--seconds 8");
  EXPECT_EQ(exit_, 1);
  EXPECT_THAT(text, AllOf(HasSubstr("FAILED (out of time) in "),
                          HasSubstr("2 of 3 suites passed, 0 failed"),
                          HasSubstr("1 instructions recorded")));
  EXPECT_THAT(result("tests.txt"), HasSubstr("passed Tanh: 1 tests"));
}

TEST_F(GpuCheck, OtherBitsAndOtherLossesAreFailures) {
  for (const auto& [constant, random] : {std::pair{"echo weights", "echo $RANDOM$RANDOM"},
                                         std::pair{"\"loss\":2.5", "\"loss\":'$RANDOM'"}}) {
    std::string program = kLodestone;
    write("lodestone", program.replace(program.find(constant), std::strlen(constant), random));
    EXPECT_THAT(run(), HasSubstr("same_bits    FAILED")) << random;
    EXPECT_EQ(exit_, 1);
  }
}

TEST_F(GpuCheck, WithoutADeviceEveryStageIsSkipped) {
  write("no_device", "");
  const std::string text = run();
  EXPECT_EQ(exit_, 0);
  EXPECT_THAT(text, AllOf(HasSubstr("machine      skipped: no CUDA device on this machine\n"),
                          HasSubstr("torch        skipped: no CUDA device on this machine\n")));
  EXPECT_THAT(results(), UnorderedElementsAre("summary.txt"));
}

TEST_F(GpuCheck, AFolderWithoutProgramsIsNamed) {
  std::filesystem::remove(folder_ / "bin" / "gpu_tests");
  EXPECT_THAT(run(), HasSubstr("has no gpu_tests: build it, or name its folder with --programs"));
  EXPECT_EQ(exit_, 2);
}

}  // namespace
}  // namespace lodestone::tools
