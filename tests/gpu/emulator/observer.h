#pragma once
// What watches a launch: the race checker, the metrics, the trace. None of them is needed to run
// it.
#include <memory>
#include <span>
#include <vector>

#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/options.h"

namespace lodestone::ptx {

class Block;
struct Launch;

struct Fence {
  enum class Proxy : std::uint8_t { kGeneric, kAsync, kAsyncShared, kAsyncGlobal, kTensorMap };
  MemoryScope scope = MemoryScope::kBlock;
  Proxy proxy = Proxy::kGeneric;
};

class MemoryObserver {
 public:
  virtual ~MemoryObserver() = default;

  virtual void begin_launch(const Launch&) {}
  virtual void end_launch(const Launch&) {}
  virtual void begin_block(Block&) {}
  virtual void end_block(Block&) {}
  // Before the memory is touched; bounds and alignment hold. May report a finding.
  virtual void access(const WarpAccess&) {}
  // Every one of those threads knows what each of them did before: the block's barrier of that
  // number, or a barrier of a warp (kNone). One mask per warp of the block.
  virtual void join(Block&, std::uint32_t /*barrier*/, std::span<const LaneMask>) {}
  // bar.arrive: what these threads did is known to those that the barrier `number` lets go later.
  virtual void arrive(Block&, std::uint32_t, std::span<const LaneMask>) {}
  virtual void fence(Warp&, const Operation&, LaneMask, Fence) {}
};

// Those that the options ask for. (observers.cpp)
std::vector<std::unique_ptr<MemoryObserver>> make_observers(const Options& options);

}  // namespace lodestone::ptx
