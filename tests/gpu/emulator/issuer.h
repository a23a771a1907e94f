#pragma once
// The lane that began something asynchronous: findings about it name that lane.
#include <string>

#include "tests/gpu/emulator/finding.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

struct Issuer {
  Warp* warp = nullptr;
  const Operation* operation = nullptr;
  std::uint32_t lane = 0;

  std::uint32_t thread() const { return warp->thread(lane); }
  [[noreturn]] void report(FindingKind kind, std::string message) const {
    ptx::report(*warp, *operation, lane, kind, std::move(message));
  }
};

}  // namespace lodestone::ptx
