#include "bench/measure.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "engine/core/check.h"

namespace lodestone::bench {

namespace {

// Keeps what Google Benchmark would print.
class Repetitions : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration && !run.error_occurred)
        seconds.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
  }
  std::vector<double> seconds;
};

}  // namespace

Timing measure(const std::string& name, const Effort& effort, const std::function<double()>& once) {
  once();
  std::exception_ptr failure;
  const auto body = [&](benchmark::State& state) {
    try {
      for ([[maybe_unused]] const auto step : state) state.SetIterationTime(once());
    } catch (...) {  // not through a library that knows nothing of it
      failure = std::current_exception();
      state.SkipWithError("failed");
    }
  };
  benchmark::ClearRegisteredBenchmarks();
  auto* const runs = benchmark::RegisterBenchmark(name.c_str(), body)
                         ->UseManualTime()
                         ->Repetitions(effort.repetitions);
  if (effort.seconds > 0)
    runs->MinTime(effort.seconds);
  else
    runs->Iterations(1);
  Repetitions repetitions;
  benchmark::RunSpecifiedBenchmarks(&repetitions, ".");
  if (failure) std::rethrow_exception(failure);
  if (repetitions.seconds.empty())
    fail(ErrorKind::kInternal, "{}: Google Benchmark ran nothing", name);
  const auto [fastest, slowest] =
      std::minmax_element(repetitions.seconds.begin(), repetitions.seconds.end());
  return {median_of(repetitions.seconds), *fastest, *slowest,
          static_cast<int>(repetitions.seconds.size())};
}

double seconds_of(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  call();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace lodestone::bench
