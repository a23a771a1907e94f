#include "tests/gpu/emulator/warp.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/special_registers.h"
#include "tests/gpu/emulator/trace.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kAlignment = 64;

std::uint32_t first_lane(LaneMask mask) {
  return static_cast<std::uint32_t>(std::countr_zero(mask));
}

template <class T>
void fill(std::byte* place, std::uint64_t value, LaneMask mask) {
  T* lanes = reinterpret_cast<T*>(place);
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1) != 0) lanes[lane] = static_cast<T>(value);
  }
}

void fill_register(std::byte* place, std::uint32_t bits, std::uint64_t value, LaneMask mask) {
  switch (bits) {
    case 1: {
      LaneMask& lanes = *reinterpret_cast<LaneMask*>(place);
      lanes = (lanes & ~mask) | (value != 0 ? mask : 0);
      break;
    }
    case 8:
      return fill<std::uint8_t>(place, value, mask);
    case 16:
      return fill<std::uint16_t>(place, value, mask);
    case 32:
      return fill<std::uint32_t>(place, value, mask);
    default:
      return fill<std::uint64_t>(place, value, mask);
  }
}

}  // namespace

Warp::Warp(Block& block, std::uint32_t index, LaneMask lanes)
    : block_(&block), index_(index), first_lanes_(lanes), live_(lanes) {
  const Launch& launch = block.launch();
  const Frame entry{.program = &launch.program()};
  reserve_registers(entry.program->frame_bytes);
  frames_.push_back(entry);
  fill_presets(entry, kAllLanes);
  enter_frame(0);
  running_ = {.frame = 0, .pc = 0, .lanes = lanes};
  current_ = entry.program->operations.data();
  if (launch.options.trace && launch.options.trace->block == block.linear_index() &&
      launch.options.trace->thread / kLanes == index) {
    traced_lane_ = launch.options.trace->thread % kLanes;
  }
}

// Registers that nobody has written are NaN or -1.
void Warp::reserve_registers(std::uint64_t bytes) {
  if (bytes <= register_bytes_) return;
  auto grown = std::make_unique_for_overwrite<std::byte[]>(bytes + kAlignment);
  const auto address = reinterpret_cast<std::uint64_t>(grown.get());
  std::byte* aligned = grown.get() + (kAlignment - address % kAlignment) % kAlignment;
  if (register_bytes_ != 0) std::memcpy(aligned, registers_, register_bytes_);
  std::memset(aligned + register_bytes_, 0xff, bytes - register_bytes_);
  storage_ = std::move(grown);
  registers_ = aligned;
  register_bytes_ = bytes;
}

void Warp::fill_presets(const Frame& frame, LaneMask mask) {
  std::byte* base = registers_ + frame.base;
  for (const Preset& preset : frame.program->presets) {
    const std::uint64_t value = preset.value + (preset.is_local_address ? frame.local_base : 0);
    fill_register(base + preset.offset, preset.bits, value, mask);
  }
  for (const SpecialRegister& special : frame.program->special_registers) {
    for (LaneMask rest = mask; rest != 0; rest &= rest - 1) {
      const std::uint32_t lane = first_lane(rest);
      fill_register(base + special.offset, special.bits,
                    special_register_value(*this, lane, special.number), LaneMask{1} << lane);
    }
  }
}

void Warp::enter_frame(std::uint32_t frame) {
  program_ = frames_[frame].program;
  frame_base_ = registers_ + frames_[frame].base;
}

LaneMask Warp::guarded_lanes(const Operation& operation) const {
  if (operation.guard == kNone) return running_.lanes;
  const LaneMask predicate = *lanes<LaneMask>(operation.guard);
  return running_.lanes & (operation.guard_negated ? ~predicate : predicate);
}

Stop Warp::run(std::uint64_t quantum) {
  for (LaneGroup& group : waiting_) {
    if (group.state == LaneGroup::State::kPolled) group.state = LaneGroup::State::kReady;
  }
  if (!choose_group()) return Stop::kFinished;
  for (std::uint64_t executed = 0; executed < quantum; ++executed) {
    if (running_.pc == next_meeting_) choose_group();
    const Operation& operation = program_->operations[running_.pc];
    current_ = &operation;
    const LaneMask mask = guarded_lanes(operation);
    ++instructions_;
    lane_instructions_ += static_cast<std::uint64_t>(std::popcount(mask));
    if (traced_lane_ != kNone) [[unlikely]]
      trace_before(*this, operation, mask, traced_lane_);
    if (operation.flow == Flow::kNext) {
      if (mask != 0) operation.handler(*this, operation, mask);
      ++running_.pc;
    } else if (const std::optional<Stop> stop = control(operation, mask)) {
      return *stop;
    }
    if (traced_lane_ != kNone) [[unlikely]]
      trace_after(*this, operation, mask, traced_lane_);
  }
  if (instructions_ > block_->launch().options.most_instructions) report_limit();
  return Stop::kQuantum;
}

std::optional<Stop> Warp::control(const Operation& operation, LaneMask mask) {
  if (mask == 0) {
    ++running_.pc;
    return std::nullopt;
  }
  if (mask != running_.lanes) leave_out(running_.lanes & ~mask);
  if (operation.flow == Flow::kBarrier && mask == live_) {
    ++running_.pc;
    block_->arrive_at_barrier(*this, operation, mask, true);
    return Stop::kBarrier;
  }
  move(operation, mask);
  if (waiting_.empty() && running_.lanes != 0 && running_.state == LaneGroup::State::kReady) {
    return std::nullopt;
  }
  if (!choose_group()) return Stop::kFinished;
  if (running_.state != LaneGroup::State::kPolled) return std::nullopt;
  running_.state = LaneGroup::State::kReady;
  return Stop::kPoll;
}

// Lanes of the running group that the guard leaves out go on by themselves.
void Warp::leave_out(LaneMask lanes) {
  LaneGroup others = running_;
  others.lanes = lanes;
  ++others.pc;
  waiting_.push_back(others);
  running_.lanes &= ~lanes;
}

// Takes the running lanes to where they go from here.
void Warp::move(const Operation& operation, LaneMask mask) {
  switch (operation.flow) {
    case Flow::kWarpSync:
      return synchronise(operation, mask);
    case Flow::kPoll:
      poll_failed_ = false;
      operation.handler(*this, operation, mask);
      ++running_.pc;
      if (poll_failed_) running_.state = LaneGroup::State::kPolled;
      return;
    case Flow::kBranch:
      return branch(operation, mask);
    case Flow::kCall:
      return call(operation, mask);
    case Flow::kReturn:
      return return_from_function();
    case Flow::kExit:
      return exit();
    case Flow::kBarrier:  // not every lane of the warp is here
      running_.state = LaneGroup::State::kBlocked;
      return;
    case Flow::kNext:
      return;
  }
}

// Without a list of targets, to the one target; otherwise each lane to the one that its register
// names.
void Warp::branch(const Operation& operation, LaneMask mask) {
  if (operation.list_size == 0) {
    running_.pc = operation.target;
    return;
  }
  const std::uint32_t* chosen = lanes<std::uint32_t>(operation.registers[0]);
  for (LaneMask rest = mask; rest != 0; rest &= rest - 1) {
    const std::uint32_t lane = first_lane(rest);
    if (chosen[lane] >= operation.list_size) {
      report(*this, operation, lane, FindingKind::kOutOfBounds,
             fmt::format("branch to target {} of {}", chosen[lane], operation.list_size));
    }
    LaneGroup group = running_;
    group.pc = list(operation)[chosen[lane]];
    group.lanes = LaneMask{1} << lane;
    waiting_.push_back(group);
  }
  running_.lanes = 0;
}

void Warp::exit() {
  live_ &= ~running_.lanes;
  running_.lanes = 0;
}

// Takes the next group; false when no lane is left. Its state is kPolled when all others poll too.
bool Warp::choose_group() {
  if (running_.lanes != 0) waiting_.push_back(running_);
  running_.lanes = 0;
  merge_groups();
  if (waiting_.empty()) return false;
  const auto rank = [this](const LaneGroup& group) {
    const int state = group.state == LaneGroup::State::kReady    ? 0
                      : group.state == LaneGroup::State::kPolled ? 1
                                                                 : 2;
    return std::tuple(state, ~frames_[group.frame].depth, group.pc);
  };
  const auto best = std::ranges::min_element(waiting_, std::less<>{}, rank);
  if (best->state == LaneGroup::State::kBlocked) report_divergence();
  running_ = *best;
  waiting_.erase(best);
  next_meeting_ = kNone;
  for (const LaneGroup& group : waiting_) {
    if (group.frame == running_.frame && group.pc > running_.pc) {
      next_meeting_ = std::min(next_meeting_, group.pc);
    }
  }
  enter_frame(running_.frame);
  return true;
}

void Warp::merge_groups() {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    for (std::size_t j = i + 1; j < waiting_.size();) {
      if (waiting_[i].pc == waiting_[j].pc && waiting_[i].frame == waiting_[j].frame) {
        waiting_[i].lanes |= waiting_[j].lanes;
        waiting_[i].state = LaneGroup::State::kReady;
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
}

void Warp::report_divergence() {
  running_ = waiting_.front();
  enter_frame(running_.frame);
  const Operation& operation = program_->operations[running_.pc];
  std::string others;
  for (const LaneGroup& group : waiting_) {
    const Program& program = *frames_[group.frame].program;
    others += fmt::format("{} lanes {:#010x} at {}", others.empty() ? ":" : ",", group.lanes,
                          user_line(program, program.operations[group.pc]));
  }
  if (live_ != first_lanes_) {
    others += fmt::format(", lanes {:#010x} have returned", first_lanes_ & ~live_);
  }
  report(*this, operation, first_lane(running_.lanes), FindingKind::kDivergence,
         "divergent warp: lanes wait for each other in different places" + others);
}

void Warp::report_limit() {
  report(*this, *current_, first_lane(running_.lanes), FindingKind::kLimit,
         fmt::format("a warp has run {} instructions in one block (LODESTONE_EMU_LIMIT)",
                     instructions_));
}

}  // namespace lodestone::ptx
