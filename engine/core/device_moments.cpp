#include "engine/core/device_moments.h"

#include "engine/core/cuda_device.h"

namespace lodestone {

void DeviceMoments::mark() {
  if (device_.is_cpu())
    times_.push_back(std::chrono::steady_clock::now());
  else
    events_.push_back(record_cuda_event(device_));
}

std::vector<double> DeviceMoments::seconds() const {
  std::vector<double> passed;
  for (std::size_t i = 1; i < times_.size(); ++i)
    passed.push_back(std::chrono::duration<double>(times_[i] - times_[i - 1]).count());
  if (!events_.empty()) wait_for_cuda_event(events_.back().get());
  for (std::size_t i = 1; i < events_.size(); ++i)
    passed.push_back(seconds_between_cuda_events(events_[i - 1].get(), events_[i].get()));
  return passed;
}

}  // namespace lodestone
