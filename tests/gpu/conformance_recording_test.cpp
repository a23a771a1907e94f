// The recording of conformance kernels: its file, and what is said of a device that differs from
// it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <fstream>

#include "engine/core/error.h"
#include "tests/gpu/conformance/suite.h"

namespace lodestone::gpu_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A file that is gone when the test is over.
class ConformanceRecording : public ::testing::Test {
 public:
  ~ConformanceRecording() override { std::filesystem::remove(path_); }

 protected:
  // Of what runs the kernels here.
  static Recording recording() {
    Recording all{device_in_words(), {}};
    for (const ConformanceCase& each : conformance_cases()) {
      all.kernels[each.name()] = each.record();
    }
    return all;
  }

  static std::vector<std::string> all_differences(const Recording& recorded) {
    std::vector<std::string> sentences;
    for (const ConformanceCase& each : conformance_cases()) {
      const auto more = differences(recorded, each.name(), each.record(), each.expected());
      sentences.insert(sentences.end(), more.begin(), more.end());
    }
    return sentences;
  }

  void write(const std::string& text) const { std::ofstream(path_) << text; }

  std::string error_of_reading() const {
    try {
      read_recording(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() /
      ("lodestone-conformance-" +
       std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
       ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(ConformanceRecording, ADeviceAgreesWithItsOwn) {
  const Recording made = recording();
  write_recording(made, path_);
  const Recording read = read_recording(path_);
  EXPECT_EQ(read, made);
  EXPECT_THAT(all_differences(read), IsEmpty());
  EXPECT_LT(std::filesystem::file_size(path_), 200'000u);
}

TEST_F(ConformanceRecording, ADifferentWordIsNamed) {
  Recording recorded = recording();
  std::uint32_t& word = recorded.kernels.at("mul.hi.s32").words.at(17);
  const std::uint32_t found = word;
  word = found ^ 1;
  EXPECT_THAT(
      all_differences(recorded),
      ElementsAre(fmt::format("mul.hi.s32, word 17: expected {:08x} as recorded, found {:08x}",
                              found ^ 1, found)));
}

TEST_F(ConformanceRecording, OtherOperandsAndNewKernelsAskForARecording) {
  Recording recorded = recording();
  ++recorded.kernels.at("add.rn.f32").inputs;
  recorded.kernels.erase("clz.b32");
  EXPECT_THAT(all_differences(recorded),
              ElementsAre(HasSubstr("add.rn.f32: recorded are 128 words of operands"),
                          "clz.b32 is not in the recording: record it again"));
}

TEST(ConformanceOutcome, ApproximationsAgreeWithinBothErrors) {
  const auto bits = [](float value) { return std::bit_cast<std::uint32_t>(value); };
  const Outcome outcome = Outcome::near(1, 0.25);
  EXPECT_TRUE(outcome.accepts(bits(1.25f)));
  EXPECT_FALSE(outcome.accepts(bits(1.26f)));
  EXPECT_FALSE(outcome.accepts(bits(NAN)));
  EXPECT_TRUE(outcome.agrees(bits(0.75f), bits(1.25f)));
  EXPECT_FALSE(outcome.agrees(bits(0.75f), bits(1.26f)));
  EXPECT_FALSE(Outcome::exactly(bits(0.0f)).accepts(bits(-0.0f)));
  EXPECT_TRUE(Outcome::not_a_number().accepts(0x7f812345));
  EXPECT_TRUE(Outcome::not_a_number().agrees(0x7f812345, 0x7fffffff));
  EXPECT_FALSE(Outcome::not_a_number().agrees(0x7f812345, bits(1)));
  const Outcome zero = Outcome::either(bits(0.0f), bits(-0.0f));
  EXPECT_TRUE(zero.accepts(bits(-0.0f)));
  EXPECT_FALSE(zero.agrees(bits(-0.0f), bits(0.0f)));
  EXPECT_FALSE(Outcome::not_a_number().accepts(bits(INFINITY)));
}

TEST_F(ConformanceRecording, FilesThatAreNoneAreRefusedWithTheLine) {
  EXPECT_THAT(error_of_reading(), HasSubstr("the recording cannot be read"));
  write("add.rn.f32, inputs 00000000\n");
  EXPECT_THAT(error_of_reading(), HasSubstr("line 1: 'conformance recorded on ' and a device"));
  write("conformance recorded on a card\n00000000\n");
  EXPECT_THAT(error_of_reading(), HasSubstr("line 2: a kernel's name and its inputs expected"));
  write("conformance recorded on a card\nadd, inputs 00000001\n3f800000 3f80000\n");
  EXPECT_THAT(
      error_of_reading(),
      HasSubstr("line 3: words of eight hexadecimal digits expected, found '3f800000 3f80000'"));
  EXPECT_THROW(write_recording({}, path_ / "nowhere"), Error);
}

// What the interpreter answers must never pass for hardware.
TEST_F(ConformanceRecording, OnlyHardwareIsRecorded) {
  if (device_in_words().find("interpreter") == std::string::npos) {
    EXPECT_EQ(record_hardware().device, device_in_words());
  } else {
    EXPECT_THROW(record_hardware(), Error);
  }
}

}  // namespace
}  // namespace lodestone::gpu_tests
