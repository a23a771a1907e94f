// One instruction after the other against the PTX manual's definition of it and, once there is one,
// against the recording of real hardware. LODESTONE_RECORD_CONFORMANCE=FILE in the environment of
// gpu_tests makes a recording.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/gpu/conformance/suite.h"

namespace lodestone::gpu_tests {
namespace {

constexpr const char* kRecordingPath = "tests/gpu/conformance_recording.txt";

std::string hexadecimal(std::span<const std::uint32_t> words) {
  return fmt::format("{:08x}", fmt::join(words, " "));
}

class Conformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(Conformance, IsWhatTheManualDefines) {
  const ConformanceCase& instruction = GetParam();
  const std::vector<Outcome> expected = instruction.expected();
  const std::vector<std::uint32_t> found = instruction.run(), inputs = instruction.inputs();
  ASSERT_EQ(found.size(), expected.size());
  const auto words_out = static_cast<std::size_t>(instruction.kernel.words_out);
  const auto words_in = static_cast<std::size_t>(instruction.kernel.words_in);
  constexpr int kMostReported = 5;
  int wrong = 0;
  for (std::size_t i = 0; i < found.size() && wrong < kMostReported; ++i) {
    if (expected[i].accepts(found[i])) continue;
    ++wrong;
    const std::size_t thread = i / words_out;
    ADD_FAILURE() << fmt::format(
        "{}, thread {}, word {}: expected {}, found {:08x}; operands {}", instruction.name(),
        thread, i % words_out, expected[i].text(), found[i],
        hexadecimal(std::span(inputs).subspan(thread * words_in, words_in)));
  }
}

INSTANTIATE_TEST_SUITE_P(Instructions, Conformance, ::testing::ValuesIn(conformance_cases()),
                         [](const auto& instruction) {
                           std::string name = instruction.param.name();
                           for (char& letter : name) {
                             if (std::isalnum(static_cast<unsigned char>(letter)) == 0)
                               letter = '_';
                           }
                           return name;
                         });

TEST(HardwareRecording, IsWhatThisDeviceAnswers) {
  if (!std::filesystem::exists(kRecordingPath)) {
    GTEST_SKIP() << "no recording yet: run gpu_tests on hardware with LODESTONE_RECORD_CONFORMANCE="
                 << kRecordingPath;
  }
  const Recording recording = read_recording(kRecordingPath);
  for (const ConformanceCase& each : conformance_cases()) {
    for (const std::string& sentence :
         differences(recording, each.name(), each.record(), each.expected())) {
      ADD_FAILURE() << sentence << " (recorded on " << recording.device << ")";
    }
  }
}

TEST(HardwareRecording, IsMadeOnRequest) {
  const char* path = std::getenv("LODESTONE_RECORD_CONFORMANCE");
  if (path == nullptr) GTEST_SKIP() << "LODESTONE_RECORD_CONFORMANCE names no file to record to";
  write_recording(record_hardware(), path);
}

}  // namespace
}  // namespace lodestone::gpu_tests
