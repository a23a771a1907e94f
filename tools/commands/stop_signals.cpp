#include "tools/commands/stop_signals.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace lodestone::tools {

namespace {

std::atomic<bool> requested{false};

[[noreturn]] void end_by(int signal, const sigset_t& signals) {
  std::signal(signal, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  std::raise(signal);
  std::_Exit(128 + signal);  // not reached: the default is to end
}

void wait_for_signals(const sigset_t& signals) {
  for (bool told = false;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (told && signal != SIGUSR1) end_by(signal, signals);
    told = told || signal != SIGUSR1;
    requested = true;
  }
}

}  // namespace

// Not by a handler: it would run on the stack of whatever thread the signal meets, and oneDNN's
// kernels keep data where the stack pointer says there is room (measured: the heap is destroyed).
// Threads inherit that the signals are blocked.
void install_stop_signals() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] { wait_for_signals(signals); }).detach();
}

bool stop_requested() {
  return requested;
}

}  // namespace lodestone::tools
