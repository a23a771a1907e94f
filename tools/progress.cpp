#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "engine/core/log.h"

namespace lodestone::tools {

namespace {
constexpr std::chrono::milliseconds kTerminalInterval{100};
constexpr std::chrono::seconds kLogInterval{30};
}  // namespace

Progress::Progress(std::string what, std::string unit, Show show)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      show_(show),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (on_screen_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::int64_t done, std::int64_t total) {
  if (show_ == Show::kNothing) return;
  const Clock::time_point now = Clock::now();
  if (now - last_ < (show_ == Show::kTerminal ? Clock::duration(kTerminalInterval)
                                              : Clock::duration(kLogInterval)))
    return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::string line = progress_line(what_, unit_, done, total, seconds);
  if (show_ == Show::kLog) {
    log::info("{}", line);
    return;
  }
  // The cursor goes back to the first column, so that a log line overwrites this one.
  fmt::print(stderr, "\r\033[K{}\r", line);
  std::fflush(stderr);
  on_screen_ = true;
}

Progress::Show progress_for(bool quiet) {
  if (quiet) return Progress::Show::kNothing;
  const char* terminal = std::getenv("TERM");
  const bool rewritable =
      ::isatty(STDERR_FILENO) && terminal && std::string_view(terminal) != "dumb";
  return rewritable ? Progress::Show::kTerminal : Progress::Show::kLog;
}

std::string progress_line(std::string_view what, std::string_view unit, std::int64_t done,
                          std::int64_t total, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const std::string speed = rate >= 10 ? grouped(std::llround(rate)) : fmt::format("{:.2f}", rate);
  if (total <= 0) return fmt::format("{}: {} {}, {} {}/s", what, grouped(done), unit, speed, unit);
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  return fmt::format("{}: {} / {} {} ({}%), {} {}/s, {} left", what, grouped(done), grouped(total),
                     unit, 100 * done / total, speed, unit,
                     rate > 0 ? duration_text(left) : "unknown time");
}

std::string grouped(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string duration_text(double seconds) {
  const std::int64_t whole = std::llround(std::max(0.0, seconds));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < kUnits.size(); ++unit) amount /= 1024;
  return fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

}  // namespace lodestone::tools
