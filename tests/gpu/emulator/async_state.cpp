#include "tests/gpu/emulator/block.h"

namespace lodestone::ptx {

namespace {

class NoWork : public AsynchronousWork {
 public:
  bool advance(Block& /*block*/, std::uint64_t /*choice*/) override { return false; }
  void end(Block& /*block*/) override {}
};

}  // namespace

std::unique_ptr<AsynchronousWork> make_asynchronous_work(const Block& /*block*/) {
  return std::make_unique<NoWork>();
}

}  // namespace lodestone::ptx
