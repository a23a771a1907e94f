#pragma once
#include <cstddef>
#include <functional>

#include "engine/tensor.h"

namespace lodestone::bench {

// How long a device takes for what a call launches. On the CPU: how long the call takes.
class Stopwatch {
 public:
  static constexpr std::size_t kBeyondCaches = std::size_t{256} << 20;

  // Caches are emptied by overwriting so many bytes.
  explicit Stopwatch(Device device, std::size_t bytes = kBeyondCaches);

  // From the beginning of the call until the device has done all of it, waits for the host
  // included.
  double with_gaps(const std::function<void()>& call) const;
  // Without those waits, and with cold caches: before, memory is overwritten for long enough that
  // the host has launched everything when the device comes to it, as in the middle of a long step.
  double without_gaps(const std::function<void()>& call);

 private:
  void occupy(double seconds);

  Device device_;
  Tensor memory_;            // CUDA only
  double overwriting_ = 0;   // seconds
  double host_seconds_ = 0;  // of the call before
};

}  // namespace lodestone::bench
