#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace lodestone::tools {

// Says on stderr how far a long job is, how fast it goes and when it will end: one line rewritten
// at most ten times a second on a terminal, a log line every 30 s otherwise, nothing when quiet.
// Library code is handed `callback()` and knows nothing of this class. One thread reports at a
// time.
class Progress {
 public:
  enum class Show : std::uint8_t { kTerminal, kLog, kNothing };
  // `what` is the job ("tokenize"), `unit` the plural of what is counted ("cells").
  Progress(std::string what, std::string unit, Show show);
  ~Progress();  // clears the line on a terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total`; a total of 0 is unknown.
  void update(std::int64_t done, std::int64_t total);
  using Callback = std::function<void(std::int64_t done, std::int64_t total)>;
  // Valid as long as this object.
  Callback callback() {
    return [this](std::int64_t done, std::int64_t total) { update(done, total); };
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_, unit_;
  Show show_;
  Clock::time_point start_, last_;
  bool on_screen_ = false;
};

// How this process should show progress: by its stderr, TERM and --quiet.
Progress::Show progress_for(bool quiet);

// "tokenize: 1,200 / 4,800 cells (25%), 310 cells/s, 0:12 left".
std::string progress_line(std::string_view what, std::string_view unit, std::int64_t done,
                          std::int64_t total, double seconds);
std::string grouped(std::int64_t number);     // 1,234,567
std::string duration_text(double seconds);    // 0:12, 3:05, 1:02:03
std::string bytes_text(std::uint64_t bytes);  // 12.3 MiB

}  // namespace lodestone::tools
