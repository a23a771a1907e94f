#include "tests/gpu/emulator/thread_copies.h"

#include <cstring>
#include <iterator>

#include "tests/gpu/emulator/block.h"

namespace lodestone::ptx {

void ThreadCopies::commit(std::uint32_t thread) {
  OfThread& own = threads_[thread];
  own.committed.push_back(std::move(own.open));
  own.open.clear();
}

void ThreadCopies::wait(Block& block, std::uint32_t thread, std::size_t groups) {
  // Those handed to an mbarrier belong to the groups too.
  for (std::size_t i = arrivals_.size(); i-- > 0;)
    if (arrivals_[i].issuer.thread() == thread) arrive(block, i);
  std::deque<Group>& committed = threads_[thread].committed;
  const Time now = checker_ == nullptr ? 0 : checker_->clocks().present(thread);
  while (committed.size() > groups) {
    finish(block, thread, thread, now, committed.front());
    committed.pop_front();
  }
}

void ThreadCopies::wait_all(Block& block, std::uint32_t thread) {
  commit(thread);
  wait(block, thread, 0);
}

void ThreadCopies::arrive_when_done(const Issuer& issuer, std::uint32_t mbarrier) {
  OfThread& own = threads_[issuer.thread()];
  Arrival arrival{.issuer = issuer, .mbarrier = mbarrier, .copies = {}};
  for (Group& group : own.committed)
    std::move(group.begin(), group.end(), std::back_inserter(arrival.copies));
  std::move(own.open.begin(), own.open.end(), std::back_inserter(arrival.copies));
  own.open.clear();
  // The groups stay, empty: they are still counted by wait_group.
  for (Group& group : own.committed) group.clear();
  arrivals_.push_back(std::move(arrival));
  issuer.warp->block().note_progress();
}

void ThreadCopies::arrive(Block& block, std::size_t index) {
  const Arrival arrival = std::move(arrivals_[index]);
  arrivals_.erase(arrivals_.begin() + static_cast<std::ptrdiff_t>(index));
  MbarrierTable::Act act;
  if (checker_ != nullptr) act = mbarriers_.act(arrival.issuer, arrival.mbarrier);
  finish(block, arrival.issuer.thread(), act.actor, act.time, arrival.copies);
  mbarriers_.arrive(arrival.issuer, arrival.mbarrier, {.releases = false});
}

bool ThreadCopies::advance(Block& block, std::uint64_t choice) {
  if (arrivals_.empty()) return false;
  arrive(block, choice % arrivals_.size());
  return true;
}

void ThreadCopies::finish(Block& block, std::uint32_t issuer, ThreadId knower, Time time,
                          const Group& group) {
  for (const ThreadCopy& copy : group) {
    std::byte* const to = block.shared() + copy.shared;
    if (copy.source_bytes != 0) std::memcpy(to, copy.source, copy.source_bytes);
    std::memset(to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
    if (checker_ != nullptr)
      checker_->complete_write({.space = AddressSpace::kShared,
                                .address = copy.shared,
                                .bytes = copy.bytes,
                                .issuer = issuer,
                                .thread = knower,
                                .time = time,
                                .is_proxied = false});
  }
}

void ThreadCopies::end(Block& block) {
  for (const Arrival& arrival : arrivals_)
    finish(block, arrival.issuer.thread(), arrival.issuer.thread(), 0, arrival.copies);
  arrivals_.clear();
  for (std::uint32_t thread = 0; thread < threads_.size(); ++thread) wait_all(block, thread);
}

}  // namespace lodestone::ptx
