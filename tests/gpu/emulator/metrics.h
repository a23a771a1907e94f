#pragma once
// What a kernel cost, in numbers that do not depend on the machine: instructions, shared-memory
// wavefronts (bank conflicts) and 32-byte sectors of global memory.
#include <array>
#include <cstdint>
#include <string>

namespace lodestone::ptx {

using LaneAddresses = std::array<std::uint64_t, 32>;

// Wavefronts of one shared-memory request: 32 banks of 4 bytes serve 32 lanes at once, 16 lanes of
// 8 bytes or 8 lanes of 16; lanes that want the same word share it. Lanes outside `mask` take no
// part.
int shared_wavefronts(const LaneAddresses& addresses, std::uint32_t mask, int bytes);
// What the request would cost without conflicts: one per group of lanes that takes part.
int ideal_wavefronts(std::uint32_t mask, int bytes);
// Distinct 32-byte sectors of one global-memory request.
int global_sectors(const LaneAddresses& addresses, std::uint32_t mask, int bytes);

struct Metrics {
  std::uint64_t warp_instructions = 0;
  std::uint64_t thread_instructions = 0;  // lanes that took part
  std::uint64_t shared_requests = 0;
  std::uint64_t shared_wavefronts = 0;
  std::uint64_t shared_conflicts = 0;  // wavefronts beyond the ideal
  std::uint64_t global_requests = 0;
  std::uint64_t global_sectors = 0;
  std::uint64_t mma_instructions = 0;
  std::uint64_t wgmma_instructions = 0;  // one per warpgroup
  std::uint64_t bulk_bytes = 0;          // moved by TMA and bulk copies

  void count_shared(const LaneAddresses& addresses, std::uint32_t mask, int bytes);
  void count_global(const LaneAddresses& addresses, std::uint32_t mask, int bytes);

  Metrics& operator+=(const Metrics& other);
  // Name and value of every number, one a line.
  std::string describe() const;
};

}  // namespace lodestone::ptx
