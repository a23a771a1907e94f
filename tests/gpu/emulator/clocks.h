#pragma once
// Who knows of what, within a block: vector clocks.
//
// One counter runs over a whole launch. A thread's present is the value it had when the thread last
// synchronised, so an access is named by (thread, time), and it is known to another thread when
// that thread's clock for the first has reached the time. A barrier of the whole block lets
// everybody know everything, which is one number; what threads know beyond it is shared between
// those that know the same. Actors are threads that no program runs: they stand for what a copy
// engine has done.
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

using Time = std::uint32_t;
using ThreadId = std::uint32_t;  // threads of the block, then its actors

// Times by thread, actors included; empty: zeros.
using Times = std::vector<Time>;

// What a clock counts: everything, or only what has passed a fence of a kind since.
enum class View : std::uint8_t {
  kKnown,
  kAsyncProxy,   // fence.proxy.async: visible to copies and matrix products
  kBlockFence,   // a fence of any scope: an atomic on shared memory publishes it
  kDeviceFence,  // a fence of device scope: an atomic on global memory publishes it
};
inline constexpr std::size_t kViews = 4;

// How much of what other blocks published at an address has been acquired.
struct Acquired {
  std::uint64_t address = 0;
  View view = View::kDeviceFence;  // what a fence must cover, before and after
  std::size_t publications = 0;
  bool complete = false;  // false: read, but no such fence has followed
};

struct Knowledge {
  std::array<Times, kViews> views;
  std::vector<Acquired> acquired;  // by address

  void merge(const Knowledge& other);
  void merge_acquired(const Acquired& entry);
  // A fence of those views: what was only read until now counts.
  void complete_acquired(std::span<const View> fenced);
  Times& operator[](View view) { return views[static_cast<std::size_t>(view)]; }
  const Times& operator[](View view) const { return views[static_cast<std::size_t>(view)]; }
};

// The clock of an mbarrier or of a named barrier: what those that arrived know.
struct SyncClock {
  std::shared_ptr<Knowledge> knowledge;

  // To be written: copied first when somebody has acquired it.
  Knowledge& own();
};

class BlockClocks {
 public:
  static constexpr std::uint32_t kMbarrierActors = 64;
  static constexpr std::uint32_t kActors = kMbarrierActors + 32;

  // A block that starts at `start`: nothing of it is older.
  BlockClocks(std::uint32_t threads, Time start);

  Time time() const { return time_; }
  Time start() const { return start_; }
  Time present(ThreadId thread) const { return present_[thread]; }
  // Everything that threads of this block did up to here is known to all of them.
  Time settled() const { return settled_; }
  std::uint32_t threads() const { return threads_; }
  // What copies do for an mbarrier. (More mbarriers than actors share them: races may be missed.)
  ThreadId mbarrier_actor(std::uint32_t number) const {
    return threads_ + number % kMbarrierActors;
  }
  // What matrix products do for a warp.
  ThreadId product_actor(std::uint32_t warp) const { return threads_ + kMbarrierActors + warp; }
  bool is_product_actor(ThreadId thread) const { return thread >= product_actor(0); }

  bool knows(ThreadId thread, ThreadId other, Time time) const {
    if ((time <= settled_ && other < threads_) || other == thread) return true;
    const Knowledge* const own = knowledge_[thread].get();
    return own != nullptr && reached((*own)[View::kKnown], other, time);
  }
  // The same of a fence's view; of its own doings a thread knows those before its fence.
  bool knows(View view, ThreadId thread, ThreadId other, Time time) const {
    const Knowledge* const own = knowledge_[thread].get();
    return own != nullptr && reached((*own)[view], other, time);
  }
  const std::shared_ptr<const Knowledge>& knowledge(ThreadId thread) const {
    return knowledge_[thread];
  }

  // All threads of the masks (one per warp) know what each of them knew. `before`: what others
  // brought.
  void join(std::span<const LaneMask> warps, const SyncClock* before = nullptr);
  // What the thread did becomes known to those that acquire the clock later.
  void release(ThreadId thread, SyncClock& clock);
  void acquire(ThreadId thread, const SyncClock& clock);
  // A new time for something that an actor has done, known to those that acquire the clock.
  Time act(ThreadId actor, SyncClock& clock);
  // What these lanes of a warp know has passed a fence of those kinds. If it acquires, too, what
  // they have read of others counts from now on.
  void fence(std::uint32_t warp, LaneMask lanes, std::span<const View> views, bool acquires = true);
  // The thread has read what was published at an address; a fence completes it.
  void acquire_published(ThreadId thread, const Acquired& entry);

 private:
  static bool reached(const Times& times, ThreadId other, Time time) {
    return !times.empty() && time <= times[other];
  }
  std::shared_ptr<Knowledge> gather(std::span<const LaneMask> warps, const SyncClock* before) const;
  void settle(std::shared_ptr<Knowledge>& knowledge);
  void publish(Knowledge& knowledge, View view, std::uint32_t warp, LaneMask lanes) const;

  // What one thread knew, what it acquired, and both together.
  struct Acquisition {
    std::shared_ptr<const Knowledge> own, clock, merged;
  };

  std::uint32_t threads_;
  Time start_;
  Time time_;
  Time settled_;
  std::vector<Time> present_;
  std::vector<std::shared_ptr<const Knowledge>> knowledge_;
  Acquisition last_acquired_;
};

}  // namespace lodestone::ptx
