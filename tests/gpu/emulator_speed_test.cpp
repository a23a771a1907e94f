// How many instructions of threads one core interprets in a second, checks off and on.
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "tests/gpu/emulator/metrics.h"
#include "tests/gpu/emulator/options.h"
#include "tests/gpu/expect_finding.h"
#include "tests/gpu/tensor_cases.h"

namespace lodestone::testing {
namespace {

class EmulatorSpeed : public ::testing::Test {
 public:
  ~EmulatorSpeed() override { set_checks(true); }

 protected:
  static void set_checks(bool on) {
    ptx::options().check_races = on;
    ptx::options().check_initialised = on;
  }

  // Time of this thread on a core: what else the machine does counts little.
  static double seconds_of_run(AttentionCase& attention) {
    const std::clock_t begin = std::clock();
    expect_no_finding([&] { return attention.run(gpu_tests::TileBug::kNone); });
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  }

  // Thread instructions a second, the best of several runs.
  static double rate(AttentionCase& attention, double instructions, bool checks) {
    set_checks(checks);
    double best = 0;
    for (int run = 0; run < 20; ++run) {
      best = std::max(best, instructions / seconds_of_run(attention));
    }
    return best;
  }
};

TEST_F(EmulatorSpeed, IsEnoughForATestOfEveryKernel) {
  if (dlsym(RTLD_DEFAULT, "__asan_init") != nullptr) GTEST_SKIP() << "built with sanitizers";
  AttentionCase attention(2, 256);
  ptx::kernel_metrics().clear();
  seconds_of_run(attention);
  ASSERT_EQ(ptx::kernel_metrics().size(), 1u);
  const auto instructions =
      static_cast<double>(ptx::kernel_metrics().begin()->second.thread_instructions);
  const double unchecked = rate(attention, instructions, false);
  const double checked = rate(attention, instructions, true);
  fmt::print("{:.2f} G thread instructions a second, {:.2f} G checked\n", unchecked / 1e9,
             checked / 1e9);
  EXPECT_GE(unchecked, 0.2e9);
  EXPECT_GE(checked, 0.06e9);
}

}  // namespace
}  // namespace lodestone::testing
