#pragma once
// The memory of the device, and the one checked way to it.
//
// Addresses. A generic address of global or constant memory is the host's address of the byte.
// Shared, local and parameter memory have windows of their own above every host address; within a
// window, and in instructions that name the space, an address is an offset.
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

class Block;

inline constexpr std::uint64_t kSharedWindow = 0x0100'0000'0000'0000;
inline constexpr std::uint64_t kLocalWindow = 0x0200'0000'0000'0000;
inline constexpr std::uint64_t kParameterWindow = 0x0300'0000'0000'0000;
inline constexpr std::uint32_t kSharedBase = 0x400;  // the first byte that a kernel may use
inline constexpr std::uint32_t kMostSharedBytes = 227 * 1024;

// The window's start; 0 for spaces whose generic address is the address itself.
std::uint64_t window_of(AddressSpace space);
// The space that a generic address points into.
AddressSpace space_of(std::uint64_t generic_address);

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t end() const { return begin + size; }
  bool contains(std::uint64_t address, std::uint64_t bytes) const {
    return address >= begin && address - begin <= size && bytes <= size - (address - begin);
  }
};

// Disjoint extents, looked up by address.
class ExtentSet {
 public:
  void insert(Extent extent);
  bool erase(std::uint64_t begin);
  void erase_overlapping(Extent extent);
  void clear();
  // The extent that holds all those bytes, or null. Remembers the last few found.
  const Extent* find(std::uint64_t address, std::uint64_t bytes) const;
  // The extent that starts at or before the address, or null.
  const Extent* at_or_before(std::uint64_t address) const;
  bool empty() const { return extents_.empty(); }

 private:
  std::map<std::uint64_t, Extent> extents_;
  mutable std::array<Extent, 4> recent_{};
  mutable std::uint32_t next_recent_ = 0;
};

// Global memory: allocations with gaps between them, filled with 0xff (NaN) when made.
class GlobalMemory {
 public:
  GlobalMemory();
  ~GlobalMemory();
  GlobalMemory(const GlobalMemory&) = delete;
  GlobalMemory& operator=(const GlobalMemory&) = delete;

  // Aligned to 256 bytes. Null when the device is full.
  std::byte* allocate(std::uint64_t bytes);
  // False when no allocation starts there.
  bool free(const void* address);
  // The allocation that holds all those bytes, or null.
  const Extent* find(std::uint64_t address, std::uint64_t bytes) const {
    return extents_.find(address, bytes);
  }
  const Extent* at_or_before(std::uint64_t address) const { return extents_.at_or_before(address); }
  // Whether the address is one that this memory may give out.
  bool in_region(const void* address) const;
  std::uint64_t used_bytes() const { return used_; }
  std::uint64_t total_bytes() const;

 private:
  std::byte* region_ = nullptr;
  std::uint64_t next_ = 0;
  std::uint64_t used_ = 0;
  ExtentSet extents_;
  std::multimap<std::uint64_t, std::uint64_t> free_;  // by size: offsets of freed places
};

enum class AccessKind : std::uint8_t {
  kRead,
  kWrite,
  kAtomic,     // read and write, as one
  kAsyncRead,  // by a copy, reduction or matrix product that goes on after the instruction
  kAsyncWrite,
};
enum class MemoryOrder : std::uint8_t { kWeak, kRelaxed, kAcquire, kRelease, kAcquireRelease };
enum class MemoryScope : std::uint8_t { kBlock, kCluster, kDevice, kSystem };

using LaneAddresses = std::array<std::uint64_t, kLanes>;

// What the lanes of a warp access with one instruction.
struct WarpAccess {
  Warp& warp;
  const Operation& operation;
  AddressSpace space;  // never generic
  AccessKind kind;
  std::uint32_t bytes;  // of each lane, its whole vector
  LaneMask lanes;
  const LaneAddresses& addresses;  // offsets within the space; host addresses for global memory
  MemoryOrder order = MemoryOrder::kWeak;
  MemoryScope scope = MemoryScope::kBlock;
};

// The addresses that an operand names, lane by lane, in the operand's space.
LaneAddresses lane_addresses(const Warp& warp, const AddressOperand& operand);

// Reports accesses outside of an object, and misaligned ones (to `bytes`, when a power of two, else
// to 16), then tells the observers. Every access passes here before it touches memory.
void check_access(const WarpAccess& access);
// The same for one lane, with an alignment of its own.
void check_lane_access(Warp& warp, const Operation& operation, std::uint32_t lane,
                       AddressSpace space, std::uint64_t address, std::uint32_t bytes,
                       AccessKind kind, std::uint32_t alignment,
                       MemoryOrder order = MemoryOrder::kWeak);

// Where the bytes are. The address has been checked.
std::byte* host_address(Warp& warp, AddressSpace space, std::uint32_t lane, std::uint64_t address);

}  // namespace lodestone::ptx
