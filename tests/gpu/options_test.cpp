// The switches that the environment sets.
#include "tests/gpu/emulator/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/core/error.h"

namespace lodestone::ptx {
namespace {

// Sets a variable of the environment for as long as it lives.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Setting() { unsetenv(name_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

TEST(Options, ChecksAreOnUnlessTheEnvironmentSaysOtherwise) {
  EXPECT_TRUE(Options().check_races);
  EXPECT_TRUE(Options().check_initialised);
  const Setting none("LODESTONE_EMU_CHECKS", "none");
  EXPECT_FALSE(options_from_environment().check_races);
  const Setting one("LODESTONE_EMU_CHECKS", "initialised");
  EXPECT_FALSE(options_from_environment().check_races);
  EXPECT_TRUE(options_from_environment().check_initialised);
  const Setting both("LODESTONE_EMU_CHECKS", "races,initialised");
  EXPECT_TRUE(options_from_environment().check_races);
}

TEST(Options, AreReadFromTheEnvironment) {
  const Setting seed("LODESTONE_EMU_SEED", "7"), quantum("LODESTONE_EMU_QUANTUM", "3");
  const Setting limit("LODESTONE_EMU_LIMIT", "99"), trace("LODESTONE_EMU_TRACE", "4:31");
  const Setting metrics("LODESTONE_EMU_METRICS", "1");
  const Options options = options_from_environment();
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.quantum, 3u);
  EXPECT_EQ(options.most_instructions, 99u);
  EXPECT_EQ(options.trace->block, 4u);
  EXPECT_EQ(options.trace->thread, 31u);
  EXPECT_TRUE(options.print_metrics);
}

TEST(Options, ValuesThatAreNoneAreRefusedByName) {
  const std::pair<const char*, const char*> bad[]{
      {"LODESTONE_EMU_CHECKS", "everything"}, {"LODESTONE_EMU_SEED", "x"},
      {"LODESTONE_EMU_QUANTUM", "0"},         {"LODESTONE_EMU_TRACE", "3"},
      {"LODESTONE_EMU_METRICS", "yes"},       {"LODESTONE_EMU_LIMIT", "-1"}};
  for (const auto& [name, value] : bad) {
    const Setting setting(name, value);
    try {
      options_from_environment();
      ADD_FAILURE() << name << "=" << value << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_THAT(error.what(), ::testing::HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace lodestone::ptx
