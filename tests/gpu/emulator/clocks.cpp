#include "tests/gpu/emulator/clocks.h"

#include <algorithm>
#include <bit>

namespace lodestone::ptx {
namespace {

void merge_times(Times& into, const Times& from) {
  if (from.empty()) return;
  if (into.empty()) {
    into = from;
    return;
  }
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
}

template <class Visit>
void for_each_thread(std::span<const LaneMask> warps, Visit&& visit) {
  for (std::size_t warp = 0; warp < warps.size(); ++warp)
    for (LaneMask mask = warps[warp]; mask != 0; mask &= mask - 1)
      visit(static_cast<ThreadId>(warp * kLanes) + static_cast<ThreadId>(std::countr_zero(mask)));
}

}  // namespace

void Knowledge::merge(const Knowledge& other) {
  for (std::size_t view = 0; view < kViews; ++view) merge_times(views[view], other.views[view]);
  for (const Acquired& entry : other.acquired) merge_acquired(entry);
}

void Knowledge::merge_acquired(const Acquired& entry) {
  const auto place = std::find_if(acquired.begin(), acquired.end(), [&](const Acquired& known) {
    return known.address == entry.address && known.complete == entry.complete;
  });
  if (place == acquired.end())
    acquired.push_back(entry);
  else
    place->publications = std::max(place->publications, entry.publications);
}

void Knowledge::complete_acquired(std::span<const View> fenced) {
  std::vector<Acquired> entries;
  entries.swap(acquired);
  for (Acquired& entry : entries) {
    entry.complete |= std::find(fenced.begin(), fenced.end(), entry.view) != fenced.end();
    merge_acquired(entry);
  }
}

BlockClocks::BlockClocks(std::uint32_t threads, Time start)
    : threads_(threads),
      start_(start),
      time_(start + 1),
      settled_(start),
      present_(threads + kActors, time_),
      knowledge_(threads) {}

Knowledge& SyncClock::own() {
  if (knowledge == nullptr)
    knowledge = std::make_shared<Knowledge>();
  else if (knowledge.use_count() > 1)
    knowledge = std::make_shared<Knowledge>(*knowledge);
  return *knowledge;
}

std::shared_ptr<Knowledge> BlockClocks::gather(std::span<const LaneMask> warps,
                                               const SyncClock* before) const {
  auto merged = std::make_shared<Knowledge>();
  // Threads that know the same share it: each of those is merged once.
  const Knowledge* last = nullptr;
  for_each_thread(warps, [&](ThreadId thread) {
    const Knowledge* const own = knowledge_[thread].get();
    if (own != nullptr && own != last) merged->merge(*own);
    last = own;
  });
  if (before != nullptr && before->knowledge != nullptr) merged->merge(*before->knowledge);
  return merged;
}

void BlockClocks::settle(std::shared_ptr<Knowledge>& knowledge) {
  settled_ = time_;
  // Threads that meet do not settle what actors have done.
  Times& known = (*knowledge)[View::kKnown];
  if (!known.empty()) std::fill_n(known.begin(), threads_, Time{0});
  if (std::all_of(known.begin(), known.end(), [](Time time) { return time == 0; })) known.clear();
  const bool is_empty = std::all_of(knowledge->views.begin(), knowledge->views.end(),
                                    [](const Times& times) { return times.empty(); });
  if (is_empty && knowledge->acquired.empty()) knowledge.reset();
}

void BlockClocks::join(std::span<const LaneMask> warps, const SyncClock* before) {
  std::shared_ptr<Knowledge> merged = gather(warps, before);
  std::uint32_t count = 0;
  for (const LaneMask warp : warps) count += static_cast<std::uint32_t>(std::popcount(warp));
  if (count == threads_) {
    settle(merged);
  } else {
    Times& known = (*merged)[View::kKnown];
    known.resize(present_.size());
    for_each_thread(warps, [&](ThreadId thread) { known[thread] = present_[thread]; });
  }
  ++time_;
  for_each_thread(warps, [&](ThreadId thread) {
    knowledge_[thread] = merged;
    present_[thread] = time_;
  });
}

void BlockClocks::release(ThreadId thread, SyncClock& clock) {
  Knowledge& knowledge = clock.own();
  if (knowledge_[thread] != nullptr) knowledge.merge(*knowledge_[thread]);
  Times& known = knowledge[View::kKnown];
  known.resize(present_.size());
  known[thread] = present_[thread];
  present_[thread] = ++time_;
}

void BlockClocks::acquire(ThreadId thread, const SyncClock& clock) {
  std::shared_ptr<const Knowledge>& own = knowledge_[thread];
  if (clock.knowledge == nullptr || clock.knowledge == own) return;
  if (own == nullptr) {
    own = clock.knowledge;
    return;
  }
  // The lanes of a warp mostly know the same and wait for the same: they go on sharing it.
  if (own != last_acquired_.own || clock.knowledge != last_acquired_.clock) {
    auto merged = std::make_shared<Knowledge>(*own);
    merged->merge(*clock.knowledge);
    last_acquired_ = {.own = own, .clock = clock.knowledge, .merged = std::move(merged)};
  }
  own = last_acquired_.merged;
}

Time BlockClocks::act(ThreadId actor, SyncClock& clock) {
  Times& known = clock.own()[View::kKnown];
  known.resize(present_.size());
  known[actor] = present_[actor] = ++time_;
  return time_;
}

void BlockClocks::publish(Knowledge& knowledge, View view, std::uint32_t warp,
                          LaneMask lanes) const {
  Times& times = knowledge[view];
  times.resize(present_.size());
  merge_times(times, knowledge[View::kKnown]);
  for (ThreadId thread = 0; thread < threads_; ++thread)
    times[thread] = std::max(times[thread], settled_);
  // Lanes fence together. What one of them wrote before is fenced; that the others know of it is a
  // question of View::kKnown.
  for (; lanes != 0; lanes &= lanes - 1) {
    const ThreadId thread = warp * kLanes + static_cast<ThreadId>(std::countr_zero(lanes));
    times[thread] = present_[thread];
  }
}

void BlockClocks::fence(std::uint32_t warp, LaneMask lanes, std::span<const View> views,
                        bool acquires) {
  const Knowledge* last = nullptr;
  std::shared_ptr<const Knowledge> fenced;
  const Time next = time_ + 1;
  const auto fence_one = [&](ThreadId thread) {
    const Knowledge* const own = knowledge_[thread].get();
    if (fenced == nullptr || own != last) {
      auto made =
          own == nullptr ? std::make_shared<Knowledge>() : std::make_shared<Knowledge>(*own);
      for (const View view : views) publish(*made, view, warp, lanes);
      if (acquires) made->complete_acquired(views);
      last = own;
      fenced = std::move(made);
    }
    knowledge_[thread] = fenced;
  };
  // Presents move on only when every lane's clock has been read.
  std::vector<LaneMask> masks(warp + 1, 0);
  masks[warp] = lanes;
  for_each_thread(masks, fence_one);
  for_each_thread(masks, [&](ThreadId thread) { present_[thread] = next; });
  time_ = next;
}

void BlockClocks::acquire_published(ThreadId thread, const Acquired& entry) {
  const Knowledge* const own = knowledge_[thread].get();
  if (own != nullptr &&
      std::any_of(own->acquired.begin(), own->acquired.end(), [&entry](const Acquired& known) {
        return known.address == entry.address && known.publications >= entry.publications &&
               known.complete >= entry.complete;
      }))
    return;
  auto merged = own == nullptr ? std::make_shared<Knowledge>() : std::make_shared<Knowledge>(*own);
  merged->merge_acquired(entry);
  knowledge_[thread] = std::move(merged);
}

}  // namespace lodestone::ptx
