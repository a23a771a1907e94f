#include "engine/core/profile.h"

#include <algorithm>
#include <string_view>

#include "engine/core/cuda_device.h"

namespace lodestone {

namespace {

thread_local Profile* active = nullptr;
thread_local const char* part = "";

}  // namespace

Profile::Profile(Device device) : moments_(device) {
  active = this;
  moments_.mark();
}

Profile::~Profile() {
  active = nullptr;
}

void Profile::add(const char* work, Pass pass) {
  moments_.mark();
  const auto same = [&](const Entry& entry) {
    return entry.pass == pass && std::string_view(entry.work) == work &&
           std::string_view(entry.part) == part;
  };
  const auto entry = std::find_if(entries_.begin(), entries_.end(), same);
  lap_entry_.push_back(static_cast<std::size_t>(entry - entries_.begin()));
  if (entry == entries_.end()) entries_.push_back({part, work, pass});
}

std::vector<Profile::Entry> Profile::entries() const {
  std::vector<Entry> entries = entries_;
  const std::vector<double> seconds = moments_.seconds();
  for (std::size_t lap = 0; lap < seconds.size(); ++lap) {
    Entry& entry = entries[lap_entry_[lap]];
    entry.seconds += seconds[lap];
    ++entry.laps;
  }
  return entries;
}

void lap(const char* work, Pass pass) {
  if (active) active->add(work, pass);
}

ProfilerRange::ProfilerRange(const char* name) {
  push_profiler_range(name);
}

ProfilerRange::~ProfilerRange() {
  pop_profiler_range();
}

ProfiledPart::ProfiledPart(const char* name) : previous_(part), range_(name) {
  part = name;
}

ProfiledPart::~ProfiledPart() {
  part = previous_;
}

const char* ProfiledPart::current() {
  return part;
}

}  // namespace lodestone
