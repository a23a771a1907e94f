#pragma once
// Data races by happens-before, whatever order the schedule happened to take; copies under way;
// reads of shared memory that nobody wrote; reads by the asynchronous proxy of what no proxy fence
// covers.
//
// Launches are ordered. Blocks of one launch are concurrent, except where one reads with an atomic
// and a fence what another published with a fence and an atomic. Within a block barriers, mbarriers
// and bar.warp.sync order; shuffles, votes and matrix products order nothing.
//
// What it may miss, never the other way round: two reads of a granule are remembered, not three;
// single bytes written by two threads in turn share a record.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/clocks.h"
#include "tests/gpu/emulator/observer.h"
#include "tests/gpu/emulator/shadow_memory.h"

namespace lodestone::ptx {

struct RaceChecks {
  bool races = true;
  bool initialised = true;
};

class RaceChecker : public MemoryObserver {
 public:
  explicit RaceChecker(RaceChecks checks) : checks_(checks) {}

  void begin_launch(const Launch& launch) override;
  void end_launch(const Launch& launch) override;
  void begin_block(Block& block) override;
  void end_block(Block& block) override;
  void access(const WarpAccess& access) override;
  void join(Block& block, std::uint32_t barrier, std::span<const LaneMask> warps) override;
  void arrive(Block& block, std::uint32_t barrier, std::span<const LaneMask> warps) override;
  void fence(Warp& warp, const Operation& operation, LaneMask lanes, Fence fence) override;

  // An asynchronous access that has ended: it counts as one by that thread or actor at that time.
  struct Completion {
    AddressSpace space = AddressSpace::kShared;
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
    ThreadId issuer = 0;  // who began it
    ThreadId thread = 0;
    Time time = 0;
    bool is_proxied = true;
  };
  void complete_write(const Completion& completion);
  void complete_read(const Completion& completion);

  // Of the running block.
  BlockClocks& clocks() { return *clocks_; }

 private:
  struct Site {
    const Program* program = nullptr;
    const Operation* operation = nullptr;
  };
  // What an address's atomics have made known so far.
  struct Publication {
    Time begin = 0;  // of the block
    Time time = 0;
    std::shared_ptr<const Knowledge> knowledge;
  };
  using Publications = std::unordered_map<std::uint64_t, std::vector<Publication>>;
  // One lane's part of an access.
  struct Accessor {
    const WarpAccess& access;
    std::uint32_t lane;
    ThreadId thread;
    AccessRecord record;  // what will be remembered of it
    Time floor;           // everything up to here is ordered before it
    bool is_read, is_write, is_in_flight;
  };

  ShadowMemory& shadow(AddressSpace space) {
    return space == AddressSpace::kShared ? shared_shadow_ : global_shadow_;
  }
  Publications& publications(AddressSpace space) {
    return space == AddressSpace::kShared ? shared_publications_ : global_publications_;
  }
  std::uint32_t site_of(const WarpAccess& access);
  Accessor accessor(const WarpAccess& access) const;
  void visit(ShadowCell& cell, std::uint8_t bytes, Accessor& accessor);
  void check_write(const ShadowCell& cell, std::uint8_t bytes, const Accessor& accessor);
  void check_read(const ShadowCell& cell, std::uint8_t bytes, const Accessor& accessor);
  bool is_quiet(const AccessRecord& record, const Accessor& accessor) const;
  bool conflicts(const AccessRecord& record, std::uint8_t bytes, const Accessor& accessor) const;
  bool is_ordered(const AccessRecord& record, const Accessor& accessor) const;
  bool is_published(const AccessRecord& record, const Accessor& accessor) const;
  void remember_read(ShadowCell& cell, std::uint8_t bytes, const Accessor& accessor) const;
  void remember_write(ShadowCell& cell, std::uint8_t bytes, const Accessor& accessor) const;
  void synchronise(const WarpAccess& access);
  void publish(const WarpAccess& access, std::uint32_t lane);
  [[noreturn]] void report_race(const Accessor& accessor, const AccessRecord& record,
                                const char* other) const;
  std::string describe(const AccessRecord& record) const;

  RaceChecks checks_;
  ShadowMemory shared_shadow_;
  ShadowMemory global_shadow_;
  std::unique_ptr<BlockClocks> clocks_;
  std::vector<SyncClock> barrier_clocks_;  // of bar.arrive, by barrier
  struct BlockStart {
    Time time = 0;
    std::uint64_t linear_index = 0;
  };
  std::vector<BlockStart> block_starts_;  // of the launch, in the order in which blocks ran
  Publications shared_publications_;
  Publications global_publications_;
  std::unordered_map<const Operation*, std::uint32_t> site_numbers_;
  std::vector<Site> sites_;
  const Operation* last_operation_ = nullptr;
  std::uint32_t last_site_ = 0;
  Time time_ = 0;
  Time launch_start_ = 0;
  bool in_launch_ = false;
};

// The race checker that watches the launch of the block, or null.
RaceChecker* race_checker_of(const Block& block);

}  // namespace lodestone::ptx
