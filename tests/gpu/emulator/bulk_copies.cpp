#include "tests/gpu/emulator/bulk_copies.h"

#include <fmt/format.h>

#include <cstring>

#include "tests/gpu/emulator/block.h"

namespace lodestone::ptx {
namespace {

std::byte* global_bytes(const BulkCopy& copy, std::uint64_t address) {
  return host_address(*copy.issuer.warp, AddressSpace::kGlobal, copy.issuer.lane, address);
}

// Calls visit(address, bytes) for the parts of global memory that the copy touches: rows, as long
// as their chunks follow each other.
template <class Visit>
void visit_global(const BulkCopy& copy, Visit&& visit) {
  if (!copy.map) {
    visit(copy.global, std::uint64_t{copy.bytes});
    return;
  }
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  visit_box(*copy.map, copy.coordinates, copy.shared, [&](const BoxChunk& chunk) {
    if (chunk.begin == chunk.end) return;
    if (chunk.global + chunk.begin != end) {
      if (end != begin) visit(begin, end - begin);
      begin = chunk.global + chunk.begin;
    }
    end = chunk.global + chunk.end;
  });
  if (end != begin) visit(begin, end - begin);
}

void load_bytes(std::byte* shared, const BulkCopy& copy) {
  if (!copy.map) {
    std::memcpy(shared + copy.shared, global_bytes(copy, copy.global), copy.bytes);
    return;
  }
  const std::array<std::byte, 16> fill = fill_pattern(*copy.map);
  visit_box(*copy.map, copy.coordinates, copy.shared, [&](const BoxChunk& chunk) {
    std::memcpy(shared + chunk.shared, fill.data(), fill.size());
    if (chunk.end > chunk.begin)
      std::memcpy(shared + chunk.shared + chunk.begin,
                  global_bytes(copy, chunk.global + chunk.begin), chunk.end - chunk.begin);
  });
}

void move_out(const BulkCopy& copy, std::uint64_t to, const std::byte* from, std::size_t bytes) {
  if (copy.reduction.kind == ReductionKind::kReplace)
    std::memcpy(global_bytes(copy, to), from, bytes);
  else
    reduce_bytes(copy.reduction, global_bytes(copy, to), from, bytes);
}

void store_bytes(const std::byte* shared, const BulkCopy& copy) {
  if (!copy.map) {
    move_out(copy, copy.global, shared + copy.shared, copy.bytes);
    return;
  }
  visit_box(*copy.map, copy.coordinates, copy.shared, [&](const BoxChunk& chunk) {
    if (chunk.end > chunk.begin)
      move_out(copy, chunk.global + chunk.begin, shared + chunk.shared + chunk.begin,
               chunk.end - chunk.begin);
  });
}

void check_shared(const BulkCopy& copy, AccessKind kind) {
  const Issuer& issuer = copy.issuer;
  check_lane_access(*issuer.warp, *issuer.operation, issuer.lane, AddressSpace::kShared,
                    copy.shared, copy.bytes, kind, copy.map ? 128 : 16);
}

}  // namespace

void BulkCopies::check_global(const BulkCopy& copy, AccessKind kind) const {
  const Issuer& issuer = copy.issuer;
  if (!copy.map && (copy.bytes == 0 || copy.bytes % 16 != 0))
    issuer.report(FindingKind::kAsynchronous,
                  fmt::format("bulk copy of {} bytes, which is no multiple of 16", copy.bytes));
  // Reductions are atomic, element by element.
  const MemoryOrder order =
      copy.reduction.kind == ReductionKind::kReplace ? MemoryOrder::kWeak : MemoryOrder::kRelaxed;
  visit_global(copy, [&](std::uint64_t address, std::uint64_t bytes) {
    check_lane_access(*issuer.warp, *issuer.operation, issuer.lane, AddressSpace::kGlobal, address,
                      static_cast<std::uint32_t>(bytes), kind, copy.map ? 1 : 16, order);
  });
}

void BulkCopies::begin_load(const BulkCopy& copy) {
  check_global(copy, AccessKind::kAsyncRead);
  check_shared(copy, AccessKind::kAsyncWrite);
  mbarriers_.expect_initialised(copy.issuer, copy.mbarrier);
  loads_.push_back(copy);
  copy.issuer.warp->block().note_progress();
}

void BulkCopies::begin_store(const BulkCopy& copy) {
  check_shared(copy, AccessKind::kAsyncRead);
  check_global(copy, AccessKind::kAsyncWrite);
  threads_[copy.issuer.thread()].open.push_back(copy);
}

void BulkCopies::commit(std::uint32_t thread) {
  OfThread& own = threads_[thread];
  own.committed.push_back(std::move(own.open));
  own.open.clear();
}

void BulkCopies::wait(Block& block, std::uint32_t thread, std::size_t groups, bool only_reads) {
  std::deque<Group>& committed = threads_[thread].committed;
  for (std::size_t i = 0; i + groups < committed.size(); ++i)
    for (BulkCopy& copy : committed[i]) finish_reading(block, copy);
  if (only_reads) return;
  while (committed.size() > groups) {
    for (const BulkCopy& copy : committed.front()) finish_writing(copy);
    committed.pop_front();
  }
}

bool BulkCopies::advance(Block& block, std::uint64_t choice) {
  if (loads_.empty()) return false;
  const auto chosen = loads_.begin() + static_cast<std::ptrdiff_t>(choice % loads_.size());
  const BulkCopy copy = *chosen;
  loads_.erase(chosen);
  finish_load(block, copy);
  return true;
}

void BulkCopies::finish_load(Block& block, const BulkCopy& copy) {
  load_bytes(block.shared(), copy);
  if (checker_ != nullptr) {
    const MbarrierTable::Act act = mbarriers_.act(copy.issuer, copy.mbarrier);
    RaceChecker::Completion completion{.address = copy.shared,
                                       .bytes = copy.bytes,
                                       .issuer = copy.issuer.thread(),
                                       .thread = act.actor,
                                       .time = act.time};
    checker_->complete_write(completion);
    completion.space = AddressSpace::kGlobal;
    visit_global(copy, [&](std::uint64_t address, std::uint64_t bytes) {
      completion.address = address;
      completion.bytes = bytes;
      checker_->complete_read(completion);
    });
  }
  mbarriers_.complete_tx(copy.issuer, copy.mbarrier, copy.bytes);
}

void BulkCopies::finish_reading(Block& block, BulkCopy& copy) {
  if (copy.has_read) return;
  copy.has_read = true;
  store_bytes(block.shared(), copy);
  if (checker_ == nullptr) return;
  const std::uint32_t thread = copy.issuer.thread();
  checker_->complete_read({.address = copy.shared,
                           .bytes = copy.bytes,
                           .issuer = thread,
                           .thread = thread,
                           .time = checker_->clocks().present(thread)});
}

void BulkCopies::finish_writing(const BulkCopy& copy) {
  if (checker_ == nullptr) return;
  const std::uint32_t thread = copy.issuer.thread();
  visit_global(copy, [&](std::uint64_t address, std::uint64_t bytes) {
    checker_->complete_write({.space = AddressSpace::kGlobal,
                              .address = address,
                              .bytes = bytes,
                              .issuer = thread,
                              .thread = thread,
                              .time = checker_->clocks().present(thread)});
  });
}

void BulkCopies::end(Block& block) {
  for (const BulkCopy& copy : loads_)
    copy.issuer.report(FindingKind::kAsynchronous,
                       "the block ended while this bulk copy still writes its shared memory");
  for (std::uint32_t thread = 0; thread < threads_.size(); ++thread) {
    OfThread& own = threads_[thread];
    if (!own.open.empty())
      own.open.front().issuer.report(FindingKind::kAsynchronous,
                                     "bulk copy without a cp.async.bulk.commit_group after it");
    for (const Group& group : own.committed)
      for (const BulkCopy& copy : group)
        if (!copy.has_read)
          copy.issuer.report(
              FindingKind::kAsynchronous,
              "the block ended while this bulk copy still reads its shared memory: no "
              "cp.async.bulk.wait_group after it");
    wait(block, thread, 0, false);
  }
}

}  // namespace lodestone::ptx
