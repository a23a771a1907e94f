#pragma once
// A running block: its warps, shared and local memory, barriers, and the work that goes on beside
// the threads.
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "tests/gpu/emulator/finding.h"
#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

struct Launch;

// Copies, transactions and the like that a block has under way. (async_state.cpp)
class AsynchronousWork {
 public:
  virtual ~AsynchronousWork() = default;
  // Completes one piece of work, chosen by `choice`; false when there is none.
  virtual bool advance(Block& block, std::uint64_t choice) = 0;
  // The block has ended: whatever may not be under way then is a finding.
  virtual void end(Block& block) = 0;
};
std::unique_ptr<AsynchronousWork> make_asynchronous_work(const Block& block);

// One of the sixteen barriers of a block, while threads gather there.
struct Barrier {
  bool whole_block = false;    // every thread; otherwise `expected` of them
  std::uint32_t expected = 0;  // 0: nobody has come
  std::uint32_t arrived = 0;
  std::vector<LaneMask> waiting{};       // per warp
  std::uint32_t true_predicates = 0;     // of bar.red
  const Operation* operation = nullptr;  // of the first to come
  const Program* program = nullptr;
};

class Block {
 public:
  Block(const Launch& launch, std::uint64_t linear_index);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  const Launch& launch() const { return launch_; }
  std::uint64_t linear_index() const { return linear_index_; }
  Dimensions index() const;
  std::uint32_t thread_count() const { return thread_count_; }
  Dimensions thread_index(std::uint32_t linear_thread) const;
  std::vector<Warp>& warps() { return warps_; }
  const std::vector<Warp>& warps() const { return warps_; }

  // Shared memory by offset, [0, size).
  std::byte* shared() { return shared_.data(); }
  std::uint32_t shared_size() const { return static_cast<std::uint32_t>(shared_.size()); }
  const ExtentSet& shared_objects() const { return shared_objects_; }
  // A buffer within dynamic shared memory: from now on accesses must stay within announced ones.
  void announce_shared_object(Extent extent);
  std::byte* local(std::uint32_t thread) {
    return local_.get() + std::size_t{thread} * local_size_;
  }
  std::uint32_t local_size() const { return local_size_; }

  // Threads come to a barrier: to wait there, or only to be counted (bar.arrive).
  void arrive_at_barrier(Warp& warp, const Operation& operation, LaneMask lanes, bool waits);
  bool waits_at_barrier(std::uint32_t warp) const { return waits_[warp]; }
  AsynchronousWork& asynchronous() { return *asynchronous_; }
  // Whoever does what another warp may wait for says so: else the block looks deadlocked.
  void note_progress() { ++progress_; }
  std::uint64_t progress() const { return progress_; }

 private:
  void open_barrier(Warp& warp, const Operation& operation, Barrier& barrier);
  void complete_barrier(std::uint32_t number);
  void finish_reduction(Warp& warp, LaneMask lanes, const Barrier& barrier);
  const Launch& launch_;
  std::uint64_t linear_index_;
  std::uint32_t thread_count_;
  std::vector<std::byte> shared_;
  ExtentSet shared_objects_;
  Extent dynamic_;
  bool announced_ = false;
  std::unique_ptr<std::byte[]> local_;
  std::uint32_t local_size_ = 0;
  std::vector<Warp> warps_;
  std::array<Barrier, 16> barriers_;
  std::vector<bool> waits_;  // per warp
  std::unique_ptr<AsynchronousWork> asynchronous_;
  std::uint64_t progress_ = 0;
};

}  // namespace lodestone::ptx
