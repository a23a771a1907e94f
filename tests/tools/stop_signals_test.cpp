#include "tools/commands/stop_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <thread>

namespace lodestone::tools {
namespace {

// Exits with 0 when the signals were noted and ended nothing.
[[noreturn]] void send_and_exit(std::initializer_list<int> signals) {
  install_stop_signals();
  if (stop_requested()) std::exit(1);
  for (const int signal : signals) {
    ::kill(::getpid(), signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  std::exit(stop_requested() ? 0 : 1);
}

// Each in a process of its own.
TEST(StopSignals, AreNoted) {
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1})
    EXPECT_EXIT(send_and_exit({signal}), ::testing::ExitedWithCode(0), "") << signal;
  EXPECT_EXIT(send_and_exit({SIGUSR1, SIGUSR1, SIGTERM}), ::testing::ExitedWithCode(0), "");
}

TEST(StopSignals, ASecondOneDoesNotWait) {
  EXPECT_EXIT(send_and_exit({SIGTERM, SIGTERM}), ::testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(send_and_exit({SIGINT, SIGUSR1, SIGINT}), ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace lodestone::tools
