#include "bench/peaks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "engine/core/threads.h"
#include "engine/tensor.h"

namespace lodestone::bench {

namespace {

constexpr int kTrials = 40;  // short ones: others may use the machine, too

// The widest vector of what the binary was compiled for.
constexpr std::size_t kVectorBytes = __BIGGEST_ALIGNMENT__;
using Lanes = float __attribute__((vector_size(kVectorBytes)));
constexpr auto kLanes = static_cast<std::int64_t>(kVectorBytes / sizeof(float));

// Independent sums: more than two multipliers of four cycles need, and they fit 16 registers.
constexpr std::size_t kSums = 12;

double multiply_adds(std::int64_t rounds) {
  std::array<Lanes, kSums> starts{};
  for (Lanes& start : starts) asm volatile("" : "+m"(start));  // may differ, for all it is known
  std::array<Lanes, kSums> sums = starts;
  Lanes factor = {}, term = {};
  for (std::int64_t i = 0; i < kLanes; ++i) {
    factor[i] = 0.5f;
    term[i] = 1.0f;
  }
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (Lanes& sum : sums) sum = sum * factor + term;
    asm volatile("" : "+m"(factor), "+m"(term));  // rounds cannot be folded
  }
  // Nor left out; a copy, so that the sums themselves may stay in registers.
  std::array<Lanes, kSums> results = sums;
  for (Lanes& result : results) asm volatile("" : "+m"(result));
  return static_cast<double>(rounds) * kSums * kLanes * 2;
}

// The best rate of `work` on every thread at once; it returns how much it did.
double best_rate(double (*work)(std::int64_t), std::int64_t rounds) {
  const int threads = thread_count();
  std::vector<double> done(static_cast<std::size_t>(threads));
  double best = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const double seconds = seconds_of([&] {
      parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) done[static_cast<std::size_t>(i)] = work(rounds);
      });
    });
    double sum = 0;
    for (const double each : done) sum += each;
    best = std::max(best, sum / seconds);
  }
  return best;
}

double copy_rate() {
  constexpr std::int64_t kBytes = std::int64_t{1} << 27;
  const Tensor from = Tensor::zeros({kBytes}, DType::kU8, Device::cpu());
  Tensor to = Tensor::zeros({kBytes}, DType::kU8, Device::cpu());
  const auto* source = static_cast<const char*>(from.data());
  auto* target = static_cast<char*>(to.data());
  double best = 0;
  for (int trial = 0; trial < kTrials; ++trial)
    best =
        std::max(best, 2.0 * kBytes / seconds_of([&] {
                         parallel_for(kBytes, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
                           std::memcpy(target + begin, source + begin,
                                       static_cast<std::size_t>(end - begin));
                         });
                       }));
  return best;
}

}  // namespace

Peaks measure_peaks() {
  constexpr std::int64_t kRounds = 200'000;
  Peaks peaks;
  peaks.fma_f32 = best_rate(multiply_adds, kRounds);
  peaks.dot_bf16 = best_rate(dot_bf16_pairs, kRounds);
  peaks.copy = copy_rate();
  return peaks;
}

}  // namespace lodestone::bench
