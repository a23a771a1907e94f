#pragma once
// What a kernel cost, in numbers that do not depend on the machine: instructions, shared-memory
// wavefronts (bank conflicts) and 32-byte sectors of global memory.
#include <cstdint>
#include <map>
#include <string>

#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/observer.h"

namespace lodestone::ptx {

// Wavefronts of one shared-memory request: 32 banks of 4 bytes serve 32 lanes at once, 16 lanes of
// 8 bytes or 8 lanes of 16; lanes that want the same word share it. Lanes outside `mask` take no
// part.
int shared_wavefronts(const LaneAddresses& addresses, LaneMask mask, std::uint32_t bytes);
// What the request would cost without conflicts: one per group of lanes that takes part.
int ideal_wavefronts(LaneMask mask, std::uint32_t bytes);
// Distinct 32-byte sectors of one global-memory request.
int global_sectors(const LaneAddresses& addresses, LaneMask mask, std::uint32_t bytes);

struct Metrics {
  std::uint64_t warp_instructions = 0;
  std::uint64_t thread_instructions = 0;  // lanes that took part
  std::uint64_t shared_requests = 0;
  std::uint64_t shared_wavefronts = 0;
  std::uint64_t shared_conflicts = 0;  // wavefronts beyond the ideal
  std::uint64_t global_requests = 0;
  std::uint64_t global_sectors = 0;
  std::uint64_t asynchronous_bytes = 0;  // written by copies

  Metrics& operator+=(const Metrics& other);
  // Name and value of every number that is not zero, on one line.
  std::string describe() const;
};

// By kernel, of every launch since the map was last cleared.
std::map<std::string, Metrics>& kernel_metrics();

class MetricsCounter : public MemoryObserver {
 public:
  void begin_launch(const Launch& launch) override;
  void end_launch(const Launch& launch) override;
  void end_block(Block& block) override;
  void access(const WarpAccess& access) override;

 private:
  Metrics metrics_;
};

}  // namespace lodestone::ptx
