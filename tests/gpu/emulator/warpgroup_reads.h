#pragma once
// What wgmma still reads: operands in shared memory belong to the matrix product until a wait_group
// lets its warp go on. Also whether the warps of a warpgroup keep together.
#include <deque>
#include <vector>

#include "tests/gpu/emulator/issuer.h"
#include "tests/gpu/emulator/race_checker.h"

namespace lodestone::ptx {

class WarpgroupReads {
 public:
  WarpgroupReads(std::uint32_t warps, RaceChecker* checker) : warps_(warps), checker_(checker) {}

  void fence(std::uint32_t warp) { warps_[warp].fenced = true; }
  // A matrix product begins: a finding if no wgmma.fence came before the warp's first.
  void begin(const Issuer& issuer);
  // It reads sixteen bytes for each of those lanes. (After check_access.)
  void read(const WarpAccess& access);
  void commit(std::uint32_t warp);
  // Until at most that many groups are under way.
  void wait(const Issuer& issuer, std::size_t groups);
  // Products that nobody waited for, and warpgroups of which not every warp took part, are
  // findings.
  void end() const;

 private:
  struct Read {
    std::uint32_t address = 0;
    std::uint32_t thread = 0;
  };
  struct Group {
    Issuer issuer;  // of the first product
    std::vector<Read> reads;
  };
  struct OfWarp {
    bool fenced = false;
    std::uint64_t products = 0;
    Issuer last;
    Group open;
    std::deque<Group> committed;
    SyncClock read;  // what its products have read
  };
  void finish(std::uint32_t warp, const Group& group);

  std::vector<OfWarp> warps_;
  RaceChecker* checker_;
};

}  // namespace lodestone::ptx
