#include "tests/gpu/emulator/warpgroup_reads.h"

#include <fmt/format.h>

#include <bit>

namespace lodestone::ptx {

void WarpgroupReads::begin(const Issuer& issuer) {
  OfWarp& own = warps_[issuer.warp->index()];
  if (!own.fenced)
    issuer.report(FindingKind::kAsynchronous,
                  "wgmma.mma_async without a wgmma.fence by its warp before");
  ++own.products;
  own.last = issuer;
  if (own.open.issuer.warp == nullptr) own.open.issuer = issuer;
}

void WarpgroupReads::read(const WarpAccess& access) {
  if (checker_ == nullptr) return;
  std::vector<Read>& reads = warps_[access.warp.index()].open.reads;
  for (LaneMask mask = access.lanes; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    reads.push_back({static_cast<std::uint32_t>(access.addresses[lane]), access.warp.thread(lane)});
  }
}

void WarpgroupReads::commit(std::uint32_t warp) {
  OfWarp& own = warps_[warp];
  own.committed.push_back(std::move(own.open));
  own.open = Group();
}

void WarpgroupReads::wait(const Issuer& issuer, std::size_t groups) {
  const std::uint32_t warp = issuer.warp->index();
  OfWarp& own = warps_[warp];
  if (own.committed.size() <= groups) return;
  while (own.committed.size() > groups) {
    finish(warp, own.committed.front());
    own.committed.pop_front();
  }
  if (checker_ == nullptr) return;
  // The products are the warp's: each of its lanes has waited for them.
  for (std::uint32_t lane = 0; lane < kLanes; ++lane)
    checker_->clocks().acquire(issuer.warp->thread(lane), own.read);
}

void WarpgroupReads::finish(std::uint32_t warp, const Group& group) {
  if (checker_ == nullptr) return;
  const ThreadId actor = checker_->clocks().product_actor(warp);
  const Time time = checker_->clocks().act(actor, warps_[warp].read);
  for (const Read& read : group.reads)
    checker_->complete_read({.address = read.address,
                             .bytes = 16,
                             .issuer = read.thread,
                             .thread = actor,
                             .time = time});
}

void WarpgroupReads::end() const {
  for (std::size_t warp = 0; warp < warps_.size(); ++warp) {
    const OfWarp& own = warps_[warp];
    if (own.open.issuer.warp != nullptr)
      own.open.issuer.report(FindingKind::kAsynchronous,
                             "wgmma.mma_async without a wgmma.commit_group after it");
    for (const Group& group : own.committed)
      if (group.issuer.warp != nullptr)
        group.issuer.report(FindingKind::kAsynchronous,
                            "the block ended without a wgmma.wait_group for this product");
    const std::size_t first = warp / 4 * 4;
    const std::uint64_t expected = first + 3 < warps_.size() ? warps_[first].products : 0;
    if (own.products == expected) continue;
    const Issuer& issuer = own.products > expected ? own.last : warps_[first].last;
    issuer.report(
        FindingKind::kDivergence,
        fmt::format("wgmma.mma_async not executed by all four warps of its warpgroup: {} times "
                    "by warp {}, {} by warp {}",
                    warps_[first].products, first, own.products, warp));
  }
}

}  // namespace lodestone::ptx
