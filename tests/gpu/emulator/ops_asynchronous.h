#pragma once
// The parts of add_asynchronous_operations, and what they share.
#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/emulator/translator.h"

namespace lodestone::ptx {

void add_thread_copies(OpcodeTable& table);  // cp.async
void add_mbarriers(OpcodeTable& table);
void add_bulk_copies(OpcodeTable& table);   // cp.async.bulk, cp.reduce.async.bulk, prefetches
void add_proxy_fences(OpcodeTable& table);  // fence.proxy, fence.mbarrier_init

// Addresses in shared memory, of an operand that names it or is generic. A generic address of
// another space is a finding.
LaneAddresses shared_addresses(const Warp& warp, const Operation& operation, LaneMask mask,
                               const AddressOperand& operand);
// The same of global memory.
LaneAddresses global_addresses(const Warp& warp, const Operation& operation, LaneMask mask,
                               const AddressOperand& operand);

// Calls visit(lane) for each lane of the mask, in order.
template <class Visit>
void for_each_lane(LaneMask mask, Visit&& visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<std::uint32_t>(__builtin_ctz(mask)));
}

}  // namespace lodestone::ptx
