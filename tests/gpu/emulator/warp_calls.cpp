// Calls of device functions: frames in the register file, arguments copied lane by lane.
#include <algorithm>
#include <bit>
#include <cstring>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kMostDepth = 128;

// Copies one `.param` variable between two frames.
void copy_parameter(std::byte* to, const std::byte* from, std::uint64_t size, LaneMask mask) {
  const std::uint32_t stride = parameter_stride(size);
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    std::memcpy(to + std::size_t{lane} * stride, from + std::size_t{lane} * stride, size);
  }
}

}  // namespace

std::uint32_t Warp::intern_frame(const Frame& frame) {
  for (std::uint32_t i = 0; i < frames_.size(); ++i) {
    const Frame& known = frames_[i];
    if (known.caller == frame.caller && known.return_to == frame.return_to &&
        known.program == frame.program) {
      return i;
    }
  }
  frames_.push_back(frame);
  return static_cast<std::uint32_t>(frames_.size() - 1);
}

// The operation's list holds the places of the results and then of the arguments.
void Warp::call(const Operation& operation, LaneMask mask) {
  const Frame& caller = frames_[running_.frame];
  const Program& callee = block_->launch().image->program(operation.target);
  Frame frame{.caller = running_.frame, .return_to = running_.pc + 1, .program = &callee};
  frame.base = caller.base + caller.program->frame_bytes;
  frame.local_base = (caller.local_base + caller.program->local_bytes + 15) / 16 * 16;
  frame.depth = caller.depth + 1;
  const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
  if (frame.depth > kMostDepth || frame.local_base + callee.local_bytes > block_->local_size()) {
    report(*this, operation, lane, FindingKind::kOutOfBounds,
           "the stack of a thread is full: calls are nested too deeply");
  }
  reserve_registers(std::uint64_t{frame.base} + callee.frame_bytes);
  enter_frame(running_.frame);  // the register file may have moved
  fill_presets(frame, mask);
  copy_arguments(operation, frame, mask);
  running_.frame = intern_frame(frame);
  running_.pc = 0;
  enter_frame(running_.frame);
}

void Warp::copy_arguments(const Operation& operation, const Frame& callee, LaneMask mask) {
  const Function& function = *callee.program->function;
  const std::uint32_t* places = list(operation);
  for (std::uint32_t i = function.result_count; i < operation.list_size; ++i) {
    copy_parameter(registers_ + callee.base + callee.program->variable_offsets[i],
                   frame_base_ + places[i], function.variables[i].size, mask);
  }
}

void Warp::return_from_function() {
  const Frame& callee = frames_[running_.frame];
  if (callee.caller == kNone) return exit();
  const Frame& caller = frames_[callee.caller];
  const Operation& call = caller.program->operations[callee.return_to - 1];
  const Function& function = *callee.program->function;
  for (std::uint32_t i = 0; i < function.result_count; ++i) {
    copy_parameter(registers_ + caller.base + caller.program->lists[call.list + i],
                   frame_base_ + callee.program->variable_offsets[i], function.variables[i].size,
                   running_.lanes);
  }
  running_.pc = callee.return_to;
  running_.frame = callee.caller;
  enter_frame(running_.frame);
}

}  // namespace lodestone::ptx
