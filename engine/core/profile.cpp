#include "engine/core/profile.h"

#include <algorithm>
#include <string_view>

namespace lodestone {

namespace {

using Clock = std::chrono::steady_clock;
thread_local Profile* active = nullptr;
thread_local const char* part = "";

}  // namespace

Profile::Profile() : last_(Clock::now()) {
  active = this;
}

Profile::~Profile() {
  active = nullptr;
}

void Profile::add(const char* work, Pass pass) {
  const Clock::time_point now = Clock::now();
  const auto same = [&](const Entry& entry) {
    return entry.pass == pass && std::string_view(entry.work) == work &&
           std::string_view(entry.part) == part;
  };
  auto entry = std::find_if(entries_.begin(), entries_.end(), same);
  if (entry == entries_.end()) entry = entries_.insert(entry, {part, work, pass});
  entry->seconds += std::chrono::duration<double>(now - last_).count();
  last_ = now;
}

void lap(const char* work, Pass pass) {
  if (active) active->add(work, pass);
}

ProfiledPart::ProfiledPart(const char* name) : previous_(part) {
  part = name;
}

ProfiledPart::~ProfiledPart() {
  part = previous_;
}

const char* ProfiledPart::current() {
  return part;
}

}  // namespace lodestone
