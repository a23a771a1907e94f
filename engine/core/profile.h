#pragma once
// Where the time of a step goes. Whoever ends a piece of work laps: what has passed since the last
// lap of this thread belongs to it, so nothing is left out. Without a Profile a lap costs one
// branch. In NVIDIA's profilers the parts are ranges.
#include <cstdint>
#include <vector>

#include "engine/core/device_moments.h"

namespace lodestone {

enum class Pass : std::uint8_t { kForward, kBackward };

// Collects the laps of the thread that made it while it lives; one at a time. On CUDA, time is the
// device's: work that it was given until a lap.
class Profile {
 public:
  struct Entry {
    const char* part;  // of the model, "" outside of one
    const char* work;  // an op's name, or a piece of the step
    Pass pass = Pass::kForward;
    double seconds = 0;
    int laps = 0;
  };
  explicit Profile(Device device = Device::cpu());
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  // One per part, work and pass, in the order of their first laps. Waits for the device.
  std::vector<Entry> entries() const;

 private:
  friend void lap(const char* work, Pass pass);
  void add(const char* work, Pass pass);
  DeviceMoments moments_;
  std::vector<Entry> entries_;          // their seconds are not known yet
  std::vector<std::size_t> lap_entry_;  // from each moment to the next
};

// `work`: a text that outlives every Profile.
void lap(const char* work, Pass pass = Pass::kForward);

// A range on the timelines of NVIDIA's profilers while it lives.
class ProfilerRange {
 public:
  explicit ProfilerRange(const char* name);
  ~ProfilerRange();
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

// The part of the model that laps of this thread belong to while it lives. Autograd remembers an
// op's part for its backward.
class ProfiledPart {
 public:
  explicit ProfiledPart(const char* name);
  ~ProfiledPart();
  ProfiledPart(const ProfiledPart&) = delete;
  ProfiledPart& operator=(const ProfiledPart&) = delete;
  static const char* current();

 private:
  const char* previous_;
  ProfilerRange range_;
};

}  // namespace lodestone
