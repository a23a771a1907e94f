#pragma once
// Prints what one thread does, instruction by instruction, to the standard error stream.
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

void trace_before(const Warp& warp, const Operation& operation, LaneMask mask, std::uint32_t lane);
// The value of the destination register, where the instruction has one.
void trace_after(const Warp& warp, const Operation& operation, LaneMask mask, std::uint32_t lane);

}  // namespace lodestone::ptx
