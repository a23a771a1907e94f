#include "tests/gpu/emulator/race_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engine/core/check.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {
namespace {

constexpr Time kLatestStart = Time{1} << 31;

// Calls visit(cell, bytes of the granule) for every granule of [address, address + bytes).
template <class Visit>
inline void for_each_cell(ShadowMemory& shadow, std::uint64_t address, std::uint64_t bytes,
                          Visit&& visit) {
  const std::uint64_t end = address + bytes;
  while (address < end) {
    const std::uint64_t run_end = std::min(end, address + ShadowMemory::adjacent_bytes(address));
    ShadowCell* cell = &shadow.cell(address);
    if (address % kGranule != 0) {
      visit(*cell++, std::uint8_t{2});
      ++address;
    }
    for (; address + 1 < run_end; address += kGranule) visit(*cell++, std::uint8_t{3});
    if (address < run_end) {
      visit(*cell, std::uint8_t{1});
      ++address;
    }
  }
}

bool releases(MemoryOrder order) {
  return order == MemoryOrder::kRelease || order == MemoryOrder::kAcquireRelease;
}

bool acquires(MemoryOrder order) {
  return order == MemoryOrder::kAcquire || order == MemoryOrder::kAcquireRelease;
}

View published_view(AddressSpace space) {
  return space == AddressSpace::kShared ? View::kBlockFence : View::kDeviceFence;
}

std::span<const View> fenced_views(Fence fence) {
  static constexpr std::array kProxy{View::kAsyncProxy};
  static constexpr std::array kBlock{View::kBlockFence};
  static constexpr std::array kDevice{View::kBlockFence, View::kDeviceFence};
  if (fence.proxy != Fence::Proxy::kGeneric) return kProxy;
  if (fence.scope == MemoryScope::kBlock) return kBlock;
  return kDevice;
}

}  // namespace

// ------------------------------------------------------------------------------------ boundaries

void RaceChecker::begin_launch(const Launch& /*launch*/) {
  // A launch that ended with a finding has left copies under way; clocks must not run over.
  if (in_launch_ || time_ > kLatestStart) {
    shared_shadow_.clear();
    global_shadow_.clear();
    time_ = 0;
  }
  in_launch_ = true;
  launch_start_ = time_;
  block_starts_.clear();
  global_publications_.clear();
  site_numbers_.clear();
  sites_.clear();
  last_operation_ = nullptr;
}

void RaceChecker::end_launch(const Launch& /*launch*/) {
  in_launch_ = false;
}

void RaceChecker::begin_block(Block& block) {
  clocks_ = std::make_unique<BlockClocks>(block.thread_count(), time_);
  block_starts_.push_back({time_, block.linear_index()});
  barrier_clocks_.assign(16, SyncClock());
  shared_publications_.clear();
}

void RaceChecker::end_block(Block& /*block*/) {
  time_ = clocks_->time() + 1;
}

void RaceChecker::join(Block& /*block*/, std::uint32_t barrier, std::span<const LaneMask> warps) {
  if (barrier == kNone) {
    clocks_->join(warps);
    return;
  }
  SyncClock& arrived = barrier_clocks_.at(barrier);
  clocks_->join(warps, &arrived);
  arrived = SyncClock();
}

void RaceChecker::arrive(Block& /*block*/, std::uint32_t barrier, std::span<const LaneMask> warps) {
  for (std::size_t warp = 0; warp < warps.size(); ++warp)
    for (LaneMask mask = warps[warp]; mask != 0; mask &= mask - 1)
      clocks_->release(
          static_cast<ThreadId>(warp * kLanes) + static_cast<ThreadId>(std::countr_zero(mask)),
          barrier_clocks_.at(barrier));
}

void RaceChecker::fence(Warp& warp, const Operation& /*operation*/, LaneMask lanes, Fence fence) {
  clocks_->fence(warp.index(), lanes, fenced_views(fence));
}

// --------------------------------------------------------------------------------------- accesses

void RaceChecker::access(const WarpAccess& access) {
  if (access.space != AddressSpace::kShared && access.space != AddressSpace::kGlobal) return;
  Accessor accessor = this->accessor(access);
  accessor.record.site = site_of(access) & (AccessRecord::kMaximumSites - 1);
  ShadowMemory& memory = shadow(access.space);
  for (LaneMask mask = access.lanes; mask != 0; mask &= mask - 1) {
    accessor.lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    accessor.thread = access.warp.thread(accessor.lane);
    accessor.record.thread = accessor.thread & (AccessRecord::kMaximumThreads - 1);
    accessor.record.time =
        accessor.is_in_flight && accessor.is_write ? kInFlight : clocks_->present(accessor.thread);
    for_each_cell(memory, access.addresses[accessor.lane], access.bytes,
                  [&](ShadowCell& cell, std::uint8_t bytes) { visit(cell, bytes, accessor); });
  }
  if (access.order != MemoryOrder::kWeak || access.kind == AccessKind::kAtomic) synchronise(access);
}

RaceChecker::Accessor RaceChecker::accessor(const WarpAccess& access) const {
  Accessor accessor{
      .access = access,
      .lane = 0,
      .thread = 0,
      .record = AccessRecord(),
      .floor = access.space == AddressSpace::kShared ? clocks_->start() : launch_start_,
      .is_read = access.kind != AccessKind::kWrite && access.kind != AccessKind::kAsyncWrite,
      .is_write = access.kind != AccessKind::kRead && access.kind != AccessKind::kAsyncRead,
      .is_in_flight =
          access.kind == AccessKind::kAsyncRead || access.kind == AccessKind::kAsyncWrite};
  accessor.record.is_strong =
      access.kind == AccessKind::kAtomic || access.order != MemoryOrder::kWeak;
  accessor.record.is_proxied = accessor.is_in_flight;
  return accessor;
}

std::uint32_t RaceChecker::site_of(const WarpAccess& access) {
  if (&access.operation == last_operation_) return last_site_;
  const auto [place, is_new] =
      site_numbers_.try_emplace(&access.operation, static_cast<std::uint32_t>(sites_.size()));
  if (is_new) {
    check(sites_.size() < AccessRecord::kMaximumSites,
          "race checker: the launch has more than {} instructions that access memory",
          AccessRecord::kMaximumSites);
    sites_.push_back({&access.warp.program(), &access.operation});
  }
  last_operation_ = &access.operation;
  last_site_ = place->second;
  return last_site_;
}

inline void RaceChecker::visit(ShadowCell& cell, std::uint8_t bytes, Accessor& accessor) {
  // The bytes written count for the block that wrote them.
  if (cell.write.time <= accessor.floor) cell.written = 0;
  if (checks_.races && accessor.is_write) check_write(cell, bytes, accessor);
  if (accessor.is_read) check_read(cell, bytes, accessor);
  if (accessor.is_write)
    remember_write(cell, bytes, accessor);
  else
    remember_read(cell, bytes, accessor);
}

inline bool RaceChecker::is_quiet(const AccessRecord& record, const Accessor& accessor) const {
  return record.time <= accessor.floor ||
         (record.time <= clocks_->settled() && record.time > clocks_->start() &&
          record.thread < clocks_->threads());
}

inline void RaceChecker::check_write(const ShadowCell& cell, std::uint8_t bytes,
                                     const Accessor& accessor) {
  if (!is_quiet(cell.write, accessor) && conflicts(cell.write, bytes, accessor))
    report_race(accessor, cell.write, "write");
  for (const AccessRecord& read : cell.reads)
    if (!is_quiet(read, accessor) && conflicts(read, bytes, accessor))
      report_race(accessor, read, "read");
  if (cell.reads_in_flight != 0) {
    const bool is_second = cell.reads[1].is_proxied && !cell.reads[0].is_proxied;
    report_race(accessor, cell.reads[is_second ? 1 : 0], "read under way");
  }
}

inline void RaceChecker::check_read(const ShadowCell& cell, std::uint8_t bytes,
                                    const Accessor& accessor) {
  if (checks_.races && !is_quiet(cell.write, accessor) && conflicts(cell.write, bytes, accessor))
    report_race(accessor, cell.write, "write");
  const WarpAccess& access = accessor.access;
  if (checks_.initialised && access.space == AddressSpace::kShared &&
      (cell.written & bytes) != bytes)
    report(access.warp, access.operation, accessor.lane, FindingKind::kUninitialised,
           "read of shared memory that the block has not written");
  const bool is_of_block = cell.write.time > clocks_->start() && cell.write.time != kInFlight;
  if (checks_.races && access.kind == AccessKind::kAsyncRead && is_of_block &&
      !cell.write.is_proxied &&
      !clocks_->knows(View::kAsyncProxy, accessor.thread, cell.write.thread, cell.write.time))
    report(access.warp, access.operation, accessor.lane, FindingKind::kRace,
           fmt::format(
               "asynchronous read of {} memory without a fence.proxy.async since the write by {}",
               name_of(access.space), describe(cell.write)));
}

bool RaceChecker::conflicts(const AccessRecord& record, std::uint8_t bytes,
                            const Accessor& accessor) const {
  if ((record.bytes & bytes) == 0) return false;
  if (record.is_strong && accessor.record.is_strong) return false;
  return !is_ordered(record, accessor);
}

bool RaceChecker::is_ordered(const AccessRecord& record, const Accessor& accessor) const {
  if (record.time == kInFlight) return false;
  if (record.time > clocks_->start() && clocks_->knows(accessor.thread, record.thread, record.time))
    return true;
  return is_published(record, accessor);
}

bool RaceChecker::is_published(const AccessRecord& record, const Accessor& accessor) const {
  const Knowledge* const knowledge = clocks_->knowledge(accessor.thread).get();
  if (knowledge == nullptr) return false;
  for (const Acquired& entry : knowledge->acquired) {
    if (!entry.complete) continue;
    const Publications& all =
        entry.view == View::kBlockFence ? shared_publications_ : global_publications_;
    const auto place = all.find(entry.address);
    if (place == all.end()) continue;
    const auto end = place->second.begin() + static_cast<std::ptrdiff_t>(entry.publications);
    auto made = std::lower_bound(
        place->second.begin(), end, record.time,
        [](const Publication& publication, Time time) { return publication.time < time; });
    for (; made != end && made->begin < record.time; ++made)
      if ((*made->knowledge)[entry.view][record.thread] >= record.time) return true;
  }
  return false;
}

inline void RaceChecker::remember_write(ShadowCell& cell, std::uint8_t bytes,
                                        const Accessor& accessor) const {
  const bool is_same =
      cell.write.time == accessor.record.time && cell.write.thread == accessor.record.thread;
  const std::uint32_t together = is_same ? cell.write.bytes | bytes : bytes;
  cell.write = accessor.record;
  cell.write.bytes = together & 3u;
  cell.written |= bytes;
}

inline void RaceChecker::remember_read(ShadowCell& cell, std::uint8_t bytes,
                                       const Accessor& accessor) const {
  const AccessRecord& record = accessor.record;
  if (accessor.is_in_flight) ++cell.reads_in_flight;
  // In the place of one's own earlier read, else of one that is ordered, else by turns of warps.
  std::size_t slot = accessor.thread / kLanes % 2;
  for (std::size_t i = 0; i < 2; ++i) {
    const AccessRecord& known = cell.reads[i];
    if (is_quiet(known, accessor) ||
        (known.thread == record.thread && known.time > clocks_->start())) {
      slot = i;
      break;
    }
  }
  AccessRecord& place = cell.reads[slot];
  const bool is_same = place.time == record.time && place.thread == record.thread;
  const std::uint32_t together = is_same ? place.bytes | bytes : bytes;
  place = record;
  place.bytes = together & 3u;
}

void RaceChecker::complete_write(const Completion& completion) {
  for_each_cell(shadow(completion.space), completion.address, completion.bytes,
                [&](ShadowCell& cell, std::uint8_t bytes) {
                  if (cell.write.time != kInFlight || (cell.write.bytes & bytes) == 0) return;
                  cell.write.time = completion.time;
                  cell.write.thread = completion.thread & (AccessRecord::kMaximumThreads - 1);
                  cell.write.is_proxied = completion.is_proxied;
                });
}

void RaceChecker::complete_read(const Completion& completion) {
  for_each_cell(shadow(completion.space), completion.address, completion.bytes,
                [&](ShadowCell& cell, std::uint8_t /*bytes*/) {
                  if (cell.reads_in_flight != 0) --cell.reads_in_flight;
                  for (AccessRecord& read : cell.reads) {
                    if (!read.is_proxied || read.thread != completion.issuer) continue;
                    read.thread = completion.thread & (AccessRecord::kMaximumThreads - 1);
                    read.time = completion.time;
                  }
                });
}

// -------------------------------------------------------------------- fence and atomic, between
// blocks

void RaceChecker::synchronise(const WarpAccess& access) {
  Publications& published = publications(access.space);
  for (LaneMask mask = access.lanes; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    if (access.kind != AccessKind::kWrite && !published.empty()) {
      const auto place = published.find(access.addresses[lane]);
      if (place != published.end())
        clocks_->acquire_published(access.warp.thread(lane), {.address = place->first,
                                                              .view = published_view(access.space),
                                                              .publications = place->second.size(),
                                                              .complete = acquires(access.order)});
    }
    if (access.kind != AccessKind::kRead) publish(access, lane);
  }
}

void RaceChecker::publish(const WarpAccess& access, std::uint32_t lane) {
  const ThreadId thread = access.warp.thread(lane);
  if (releases(access.order))
    clocks_->fence(access.warp.index(), LaneMask{1} << lane,
                   fenced_views({.scope = access.scope, .proxy = Fence::Proxy::kGeneric}), false);
  const std::shared_ptr<const Knowledge>& knowledge = clocks_->knowledge(thread);
  if (knowledge == nullptr || (*knowledge)[published_view(access.space)].empty()) return;
  std::vector<Publication>& list = publications(access.space)[access.addresses[lane]];
  if (!list.empty() && list.back().knowledge == knowledge) return;
  list.push_back({clocks_->start(), clocks_->time(), knowledge});
}

// ---------------------------------------------------------------------------------------- findings

std::string RaceChecker::describe(const AccessRecord& record) const {
  const Site& site = sites_[record.site];
  const std::string line = user_line(*site.program, *site.operation);
  if (record.time == kInFlight)
    return fmt::format("a copy under way that thread {} began at {}", std::uint32_t{record.thread},
                       line);
  const bool is_of_block = record.time > clocks_->start();
  const auto next =
      std::partition_point(block_starts_.begin(), block_starts_.end(),
                           [&record](const BlockStart& start) { return start.time < record.time; });
  const std::string block =
      is_of_block ? "" : fmt::format(" of block {}", std::prev(next)->linear_index);
  if (is_of_block && clocks_->is_product_actor(record.thread))
    return fmt::format("a matrix product begun at {}", line);
  if (is_of_block && record.thread >= clocks_->threads())
    return fmt::format("a copy that has ended, begun at {}", line);
  return fmt::format("thread {}{} at {}", std::uint32_t{record.thread}, block, line);
}

void RaceChecker::report_race(const Accessor& accessor, const AccessRecord& record,
                              const char* other) const {
  const WarpAccess& access = accessor.access;
  report(
      access.warp, access.operation, accessor.lane, FindingKind::kRace,
      fmt::format("data race on {} memory: this {} of {} bytes is not ordered after the {} by {}",
                  name_of(access.space), accessor.is_write ? "write" : "read", access.bytes, other,
                  describe(record)));
}

RaceChecker* race_checker_of(const Block& block) {
  for (MemoryObserver* const observer : block.launch().observers)
    if (auto* const checker = dynamic_cast<RaceChecker*>(observer)) return checker;
  return nullptr;
}

}  // namespace lodestone::ptx
