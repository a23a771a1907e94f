#include "bench/peaks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "engine/core/cuda_device.h"
#include "engine/core/device_memory.h"
#include "engine/core/device_moments.h"
#include "engine/core/threads.h"
#include "engine/tensor.h"
#include "train/peak_rate.h"

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

void copy_on_threads(char* to, const char* from, std::int64_t bytes) {
  parallel_for(bytes, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
  });
}

double copy_rate(Device device, std::int64_t bytes) {
  const Tensor from = Tensor::zeros({bytes}, DType::kU8, device);
  Tensor to = Tensor::zeros({bytes}, DType::kU8, device);
  DeviceMoments moments(device);
  moments.mark();
  for (int trial = 0; trial < kTrials; ++trial) {
    if (device.is_cpu())
      copy_on_threads(static_cast<char*>(to.data()), static_cast<const char*>(from.data()), bytes);
    else
      copy_bytes(to.data(), device, from.data(), device, static_cast<std::size_t>(bytes));
    moments.mark();
  }
  const std::vector<double> seconds = moments.seconds();
  return 2 * static_cast<double>(bytes) / *std::min_element(seconds.begin(), seconds.end());
}

}  // namespace

Peaks measure_peaks(Device device, const PeakSizes& sizes) {
  constexpr std::int64_t kRounds = 200'000, kCpuBytes = std::int64_t{1} << 27;
  if (device.is_cpu())
    return {.f32 = best_rate(multiply_adds, kRounds),
            .bf16 = best_rate(dot_bf16_pairs, kRounds),
            .copy = copy_rate(device, kCpuBytes)};
  return {.f32_name = "product_f32",
          .bf16_name = "product_bf16",
          .f32 = product_rate(device, DType::kF32, sizes.product),
          .bf16 = product_rate(device, DType::kBf16, sizes.product),
          .copy = copy_rate(device, sizes.copied_bytes),
          .published_bf16 = published_peak(cuda_device_name(device))};
}

}  // namespace lodestone::bench
