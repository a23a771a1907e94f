#pragma once
// 32 lanes that share a program. Lanes that branch apart run in groups, the deepest call and then
// the lowest instruction first, and are one group again where they meet.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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
  enum class State : std::uint8_t {
    kReady,
    kBlocked,  // until other lanes come to the same place
    kPolled,   // until others had a turn
  };
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
  // The carry of each lane, from one instruction of a sum in several words to the next.
  LaneMask carry() const { return carry_; }
  void set_carry(LaneMask carry) { carry_ = carry; }
  // Further registers of an operation.
  const std::uint32_t* list(const Operation& operation) const {
    return program_->lists.data() + operation.list;
  }

  Block& block() const { return *block_; }
  std::uint32_t index() const { return index_; }
  std::uint32_t thread(std::uint32_t lane) const { return index_ * kLanes + lane; }
  const Program& program() const { return *program_; }
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
  // The instruction that the lanes that run did last, or do next; and those lanes.
  const Operation& current_operation() const { return *current_; }
  LaneMask current_lanes() const { return running_.lanes; }

 private:
  LaneMask guarded_lanes(const Operation& operation) const;
  // True when run() must return that.
  std::optional<Stop> control(const Operation& operation, LaneMask mask);
  void leave_out(LaneMask lanes);
  void move(const Operation& operation, LaneMask mask);
  void branch(const Operation& operation, LaneMask mask);
  void synchronise(const Operation& operation, LaneMask mask);
  LaneMask members_of(const Operation& operation, LaneMask mask) const;
  LaneMask lanes_naming(const Operation& operation, LaneMask members, LaneMask mask) const;
  void check_members(const Operation& operation, LaneMask members, LaneMask part) const;
  void call(const Operation& operation, LaneMask mask);
  void copy_arguments(const Operation& operation, const Frame& callee, LaneMask mask);
  void return_from_function();
  void exit();
  void set_aside(LaneGroup group);
  bool choose_group();
  void merge_groups();
  std::uint32_t intern_frame(const Frame& frame);
  void enter_frame(std::uint32_t frame);
  void reserve_registers(std::uint64_t bytes);
  void fill_presets(const Frame& frame, LaneMask mask);
  [[noreturn]] void report_divergence();
  [[noreturn]] void report_limit();

  Block* block_;
  std::uint32_t index_;
  LaneMask first_lanes_;
  LaneMask live_;
  LaneMask carry_ = 0;
  std::unique_ptr<std::byte[]> storage_;
  std::uint64_t register_bytes_ = 0;
  std::byte* registers_ = nullptr;   // in storage_, aligned to 64 bytes
  std::byte* frame_base_ = nullptr;  // of the running frame
  const Program* program_ = nullptr;
  std::vector<Frame> frames_;
  LaneGroup running_;
  std::vector<LaneGroup> waiting_;
  std::uint32_t next_meeting_ = kNone;  // the pc at which running lanes may meet waiting ones
  bool poll_failed_ = false;
  const Operation* current_ = nullptr;
  std::uint32_t traced_lane_ = kNone;
  std::uint64_t instructions_ = 0;
  std::uint64_t lane_instructions_ = 0;
};

}  // namespace lodestone::ptx
