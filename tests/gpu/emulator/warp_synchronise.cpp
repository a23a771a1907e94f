// Operations that lanes of a warp execute together: who must be there.
#include <bit>

#include "engine/core/check.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

namespace {

std::uint32_t first_lane(LaneMask mask) {
  return static_cast<std::uint32_t>(std::countr_zero(mask));
}

}  // namespace

// A group runs the operation as soon as it holds every lane of its mask. Lanes of one group may
// name different masks: then each part runs by itself.
void Warp::synchronise(const Operation& operation, LaneMask mask) {
  LaneMask blocked = 0;
  for (LaneMask rest = mask; rest != 0;) {
    const LaneMask members = members_of(operation, rest);
    const LaneMask part = lanes_naming(operation, members, rest);
    check_members(operation, members, part);
    if (part == members) {
      operation.handler(*this, operation, part);
    } else {
      blocked |= part;
    }
    rest &= ~part;
  }
  if (blocked == 0) {
    ++running_.pc;
    return;
  }
  if (blocked != mask) leave_out(mask & ~blocked);
  running_.state = LaneGroup::State::kBlocked;
}

// The mask that the first of these lanes names. Lanes that the warp never had do not count.
LaneMask Warp::members_of(const Operation& operation, LaneMask mask) const {
  if (operation.members == kNone) return kAllLanes;
  return lanes<std::uint32_t>(operation.members)[first_lane(mask)] & first_lanes_;
}

LaneMask Warp::lanes_naming(const Operation& operation, LaneMask members, LaneMask mask) const {
  if (operation.members == kNone) return mask;
  const std::uint32_t* named = lanes<std::uint32_t>(operation.members);
  LaneMask result = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    result |= LaneMask{(named[lane] & first_lanes_) == members} << lane;
  }
  return result & mask;
}

void Warp::check_members(const Operation& operation, LaneMask members, LaneMask part) const {
  if ((part & ~members) != 0) {
    report(*this, operation, first_lane(part & ~members), FindingKind::kDivergence,
           fmt::format("a lane executes a warp operation whose mask {:#010x} does not name it",
                       members));
  }
  if ((members & ~first_lanes_) != 0) {
    report(*this, operation, first_lane(part), FindingKind::kDivergence,
           "this instruction needs all 32 lanes, and the warp has fewer");
  }
  if ((members & ~live_) != 0) {
    report(*this, operation, first_lane(part), FindingKind::kDivergence,
           fmt::format("the mask {:#010x} of this warp operation names lanes that have returned",
                       members));
  }
}

}  // namespace lodestone::ptx
