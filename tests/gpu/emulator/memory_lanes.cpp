#include "tests/gpu/emulator/memory_lanes.h"

namespace lodestone::ptx {

AddressSpace address_space_named(std::string_view name) {
  if (name.starts_with(".global")) return AddressSpace::kGlobal;
  if (name.starts_with(".shared")) return AddressSpace::kShared;
  if (name.starts_with(".local")) return AddressSpace::kLocal;
  if (name.starts_with(".const")) return AddressSpace::kConstant;
  if (name.starts_with(".param")) return AddressSpace::kParameter;
  return AddressSpace::kGeneric;
}

MemoryOrder memory_order_named(std::string_view name) {
  if (name == ".acquire") return MemoryOrder::kAcquire;
  if (name == ".release") return MemoryOrder::kRelease;
  if (name == ".acq_rel") return MemoryOrder::kAcquireRelease;
  return name.empty() || name == ".weak" ? MemoryOrder::kWeak : MemoryOrder::kRelaxed;
}

MemoryScope memory_scope_named(std::string_view name) {
  if (name == ".cta") return MemoryScope::kBlock;
  if (name == ".cluster") return MemoryScope::kCluster;
  return name == ".sys" ? MemoryScope::kSystem : MemoryScope::kDevice;
}

std::uint32_t ordering_bits(MemoryOrder order, MemoryScope scope) {
  return static_cast<std::uint32_t>(order) << 8 | static_cast<std::uint32_t>(scope);
}

MemoryOrder order_of(const Operation& operation) {
  return static_cast<MemoryOrder>(operation.modifiers >> 8 & 0xff);
}

MemoryScope scope_of(const Operation& operation) {
  return static_cast<MemoryScope>(operation.modifiers & 0xff);
}

}  // namespace lodestone::ptx
