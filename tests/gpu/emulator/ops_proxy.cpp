// Fences between the generic and the asynchronous proxy.
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/ops_asynchronous.h"

namespace lodestone::ptx {

namespace {

void run_fence(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto proxy = static_cast<Fence::Proxy>(operation.modifiers);
  for (MemoryObserver* const observer : warp.block().launch().observers)
    observer->fence(warp, operation, mask, {.scope = MemoryScope::kBlock, .proxy = proxy});
}

// Groups: the state space.
void translate_fence(Translator& translator, const Instruction& /*instruction*/, const Match& match,
                     Operation& operation) {
  translator.expect_operands(0);
  const Fence::Proxy proxy = !match.has(0)           ? Fence::Proxy::kAsync
                             : match[0] == ".global" ? Fence::Proxy::kAsyncGlobal
                                                     : Fence::Proxy::kAsyncShared;
  operation.modifiers = static_cast<std::uint32_t>(proxy);
  operation.handler = run_fence;
}

// Orders the initialisation of mbarriers for other blocks of a cluster, of which there are none.
void run_nothing(Warp& /*warp*/, const Operation& /*operation*/, LaneMask /*mask*/) {}

void translate_nothing(Translator& translator, const Instruction& /*instruction*/,
                       const Match& /*match*/, Operation& operation) {
  translator.expect_operands(0);
  operation.handler = run_nothing;
}

}  // namespace

void add_proxy_fences(OpcodeTable& table) {
  table.add("fence.proxy.async[.global|.shared::cta|.shared::cluster]", translate_fence);
  table.add("fence.mbarrier_init.release.cluster", translate_nothing);
  // One grid at a time runs: there is none to wait for, and none that waits.
  table.add("griddepcontrol(.launch_dependents|.wait)", translate_nothing);
}

}  // namespace lodestone::ptx
