#include "bench/stopwatch.h"

#include <algorithm>
#include <cmath>

#include "bench/measure.h"
#include "engine/core/device_memory.h"
#include "engine/core/device_moments.h"

namespace lodestone::bench {

namespace {

double between(Device device, const std::function<void()>& call) {
  DeviceMoments moments(device);
  moments.mark();
  call();
  moments.mark();
  return moments.seconds().front();
}

}  // namespace

Stopwatch::Stopwatch(Device device, std::size_t bytes) : device_(device) {
  if (device.is_cpu()) return;
  memory_ = Tensor::empty({static_cast<std::int64_t>(bytes)}, DType::kU8, device);
  for (int run = 0; run < 2; ++run)  // the first warms up
    overwriting_ = between(device, [&] { memory_.fill_zero(); });
}

double Stopwatch::with_gaps(const std::function<void()>& call) const {
  synchronize(device_);
  return between(device_, call);
}

double Stopwatch::without_gaps(const std::function<void()>& call) {
  if (device_.is_cpu()) return seconds_of(call);
  occupy(2 * host_seconds_);
  return between(device_, [&] { host_seconds_ = seconds_of(call); });
}

void Stopwatch::occupy(double seconds) {
  // A call that waits for the device waits for this, too: it must not grow from call to call. No
  // more launches than a stream takes without waiting, either.
  constexpr double kLongest = 0.05;
  constexpr int kMost = 500;
  const double fills = std::ceil(std::min(seconds, kLongest) / overwriting_);
  const int count = std::clamp(static_cast<int>(fills), 1, kMost);
  for (int i = 0; i < count; ++i) memory_.fill_zero();
}

}  // namespace lodestone::bench
