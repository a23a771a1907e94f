#pragma once
// 32 lanes that share a program. Lanes that branch apart run in groups, the deepest call and then
// the lowest instruction first, and are one group again where they meet.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

class Block;
class LoadedModule;

// An activation of a function in a warp. Frames are numbered; equal calls share a number.
struct Frame {
  std::uint32_t caller = kNone;  // frame
  std::uint32_t return_to = 0;   // operation of the caller
  const Program* program = nullptr;
  std::uint32_t base = 0;        // in the register file
  std::uint32_t local_base = 0;  // in the thread's local memory
  std::uint32_t depth = 0;
};

// Lanes at one place.
struct LaneGroup {
  enum class State : std::uint8_t { kReady, kBlocked, kPolled };
  std::uint32_t frame = 0;
  std::uint32_t pc = 0;
  LaneMask lanes = 0;
  State state = State::kReady;
};

// Why a warp stopped running.
enum class Stop : std::uint8_t { kFinished, kBarrier, kPoll, kQuantum };

class Warp {
 public:
  Warp(Block& block, std::uint32_t index, LaneMask lanes);

  // The lanes of a register of the running frame.
  template <class T>
  T* lanes(std::uint32_t offset) const {
    return reinterpret_cast<T*>(frame_base_ + offset);
  }
  LaneMask& predicate(std::uint32_t offset) const { return *lanes<LaneMask>(offset); }
  void set_predicate(std::uint32_t offset, LaneMask value, LaneMask mask) const {
    LaneMask& place = predicate(offset);
    place = (place & ~mask) | (value & mask);
  }
  // Further registers of an operation.
  const std::uint32_t* list(const Operation& operation) const {
    return program_->lists.data() + operation.list;
  }

  Block& block() const { return block_; }
  std::uint32_t index() const { return index_; }
  std::uint32_t thread(std::uint32_t lane) const { return index_ * kLanes + lane; }
  const Program& program() const { return *program_; }
  std::uint32_t local_base() const { return frames_[running_.frame].local_base; }
  LaneMask first_lanes() const { return first_lanes_; }  // those that the warp was started with
  LaneMask live_lanes() const { return live_; }          // those that have not returned
  bool finished() const { return live_ == 0; }
  std::uint64_t instructions() const { return instructions_; }
  std::uint64_t lane_instructions() const { return lane_instructions_; }

  // For a kPoll handler: what the lanes wait for has not happened.
  void wait_elsewhere() { poll_failed_ = true; }

  // Runs until the warp finishes, stands at a barrier, only polls, or has run that many
  // instructions.
  Stop run(std::uint64_t quantum);
  // The barrier instruction at which the running lanes stand, after Stop::kBarrier.
  const Operation& barrier_operation() const { return *barrier_; }
  LaneMask barrier_lanes() const { return running_.lanes; }
  // The lanes that run, or that would next.
  const Operation& current_operation() const;
  LaneMask current_lanes() const { return running_.lanes; }

 private:
  void step(const Operation& operation, LaneMask mask);
  bool gather(const Operation& operation, LaneMask mask);
  void branch(const Operation& operation, LaneMask mask);
  void call(const Operation& operation, LaneMask mask);
  void return_from(LaneMask mask);
  void exit(LaneMask mask);
  bool at_barrier(const Operation& operation, LaneMask mask);
  void set_aside(LaneGroup::State state);
  void choose_group();
  void merge_groups();
  void enter_frame(std::uint32_t frame);
  void fill_presets(const Program& program, std::uint32_t base, LaneMask mask);
  [[noreturn]] void report_divergence();

  Block& block_;
  std::uint32_t index_;
  LaneMask first_lanes_;
  LaneMask live_;
  std::vector<std::byte> storage_;
  std::byte* registers_ = nullptr;   // aligned to 64 bytes
  std::byte* frame_base_ = nullptr;  // of the running frame
  const Program* program_ = nullptr;
  std::vector<Frame> frames_;
  LaneGroup running_;
  std::vector<LaneGroup> waiting_;
  std::uint32_t next_meeting_ = kNone;  // the pc from which the groups must be looked at again
  bool poll_failed_ = false;
  const Operation* barrier_ = nullptr;
  std::uint64_t instructions_ = 0;
  std::uint64_t lane_instructions_ = 0;
};

}  // namespace lodestone::ptx
