#include "tests/gpu/emulator/async_state.h"

namespace lodestone::ptx {

AsynchronousState::AsynchronousState(const Block& block)
    : AsynchronousState(block.thread_count(), race_checker_of(block)) {}

AsynchronousState::AsynchronousState(std::uint32_t threads, RaceChecker* checker)
    : mbarriers(checker),
      copies(threads, mbarriers, checker),
      bulk(threads, mbarriers, checker),
      warpgroups((threads + kLanes - 1) / kLanes, checker) {}

bool AsynchronousState::advance(Block& block, std::uint64_t choice) {
  // A seed decides which engine is asked first, too.
  if (choice / 2 % 2 != 0) return bulk.advance(block, choice) || copies.advance(block, choice);
  return copies.advance(block, choice) || bulk.advance(block, choice);
}

void AsynchronousState::end(Block& block) {
  copies.end(block);
  bulk.end(block);
  warpgroups.end();
}

AsynchronousState& asynchronous_state(const Warp& warp) {
  return static_cast<AsynchronousState&>(warp.block().asynchronous());
}

std::unique_ptr<AsynchronousWork> make_asynchronous_work(const Block& block) {
  return std::make_unique<AsynchronousState>(block);
}

}  // namespace lodestone::ptx
