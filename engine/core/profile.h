#pragma once
// Where the time of a step goes. Whoever ends a piece of work laps: what has passed since the last
// lap of this thread belongs to it, so nothing is left out. Without a Profile a lap costs one
// branch.
#include <chrono>
#include <cstdint>
#include <vector>

namespace lodestone {

enum class Pass : std::uint8_t { kForward, kBackward };

// Collects the laps of the thread that made it while it lives; one at a time.
class Profile {
 public:
  struct Entry {
    const char* part;  // of the model, "" outside of one
    const char* work;  // an op's name, or a piece of the step
    Pass pass = Pass::kForward;
    double seconds = 0;
  };
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  // One per part, work and pass, in the order of their first laps.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  friend void lap(const char* work, Pass pass);
  void add(const char* work, Pass pass);
  std::chrono::steady_clock::time_point last_;
  std::vector<Entry> entries_;
};

// `work`: a text that outlives every Profile.
void lap(const char* work, Pass pass = Pass::kForward);

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
};

}  // namespace lodestone
