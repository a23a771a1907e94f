#pragma once
#include <functional>
#include <string>
#include <vector>

namespace lodestone::bench {

struct Effort {
  int repetitions = 5;
  double seconds = 0.05;  // a repetition runs at least this long; 0: once
};

// Seconds of one run, over the repetitions; a repetition gives its mean.
struct Timing {
  double median = 0, fastest = 0, slowest = 0;
  int repetitions = 0;
};

// Runs `once` on Google Benchmark: once to warm up, then, in every repetition, as often as the
// effort asks. `once` returns how long its measured part took, in seconds; what it throws is
// rethrown.
Timing measure(const std::string& name, const Effort& effort, const std::function<double()>& once);

// How long a call takes, in seconds.
double seconds_of(const std::function<void()>& call);

// The middle of the values (of an even number: the mean of the two); not empty.
double median_of(std::vector<double> values);

}  // namespace lodestone::bench
