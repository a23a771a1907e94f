#include "tools/commands/stop_signals.h"

#include <atomic>
#include <csignal>

namespace lodestone::tools {

namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may set it");

extern "C" void note_signal(int /*signal*/) {
  requested.store(true, std::memory_order_relaxed);
}

void install(int signal, int flags) {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART | flags;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_stop_signals() {
  const int once = static_cast<int>(SA_RESETHAND);
  install(SIGTERM, once);
  install(SIGINT, once);
  install(SIGUSR1, 0);
}

bool stop_requested() {
  return requested.load(std::memory_order_relaxed);
}

}  // namespace lodestone::tools
