#pragma once
#include <chrono>
#include <memory>
#include <vector>

#include "engine/core/stream.h"

namespace lodestone {

// Moments of a device's work, and what passes between them. On the CPU a moment is when it is
// marked; on CUDA, an event of the compute stream: when everything launched before has been done.
class DeviceMoments {
 public:
  explicit DeviceMoments(Device device) : device_(device) {}
  // The host does not wait.
  void mark();
  // From each moment to the next. Waits for the last one.
  std::vector<double> seconds() const;

 private:
  Device device_;
  std::vector<std::chrono::steady_clock::time_point> times_;
  std::vector<std::shared_ptr<void>> events_;
};

}  // namespace lodestone
