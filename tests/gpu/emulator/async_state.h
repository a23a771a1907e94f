#pragma once
// The asynchronous work of a block, by the engine that does it.
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/bulk_copies.h"
#include "tests/gpu/emulator/mbarrier_table.h"
#include "tests/gpu/emulator/thread_copies.h"
#include "tests/gpu/emulator/warpgroup_reads.h"

namespace lodestone::ptx {

class AsynchronousState : public AsynchronousWork {
 public:
  explicit AsynchronousState(const Block& block);

  bool advance(Block& block, std::uint64_t choice) override;
  void end(Block& block) override;

  MbarrierTable mbarriers;
  ThreadCopies copies;
  BulkCopies bulk;
  WarpgroupReads warpgroups;

 private:
  AsynchronousState(std::uint32_t threads, RaceChecker* checker);
};

AsynchronousState& asynchronous_state(const Warp& warp);

}  // namespace lodestone::ptx
