// Which opcodes of the copy, mbarrier and tensor families are known: whole, or not at all.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/gpu/emulator/opcode_table.h"

namespace lodestone::ptx {
namespace {

bool is_known(const std::string& opcode) {
  return opcode_table().find(opcode).translation != nullptr;
}

TEST(AsynchronousOpcodes, TheUsualOnesAreKnown) {
  for (const char* const opcode :
       {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32",
        "ldmatrix.sync.aligned.m8n8.x1.shared.b16",
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared::cta.b16",
        "stmatrix.sync.aligned.m8n8.x2.trans.shared.b16",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16",
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16",
        "wgmma.mma_async.sync.aligned.m64n104k8.f32.tf32.tf32",
        "wgmma.wait_group.sync.aligned",
        "setmaxnreg.inc.sync.aligned.u32",
        "elect.sync",
        "cp.async.ca.shared.global",
        "cp.async.cg.shared::cta.global.L2::cache_hint.L2::128B",
        "cp.async.wait_all",
        "cp.async.mbarrier.arrive.noinc.shared.b64",
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint",
        "cp.async.bulk.tensor.5d.shared::cta.global.tile.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.1d.global.shared::cta.bulk_group",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.bf16",
        "cp.reduce.async.bulk.tensor.3d.global.shared::cta.max.tile.bulk_group",
        "cp.async.bulk.prefetch.tensor.2d.L2.global.tile",
        "cp.async.bulk.wait_group.read",
        "mbarrier.init.shared.b64",
        "mbarrier.arrive.expect_tx.release.cta.shared::cta.b64",
        "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64",
        "mbarrier.test_wait.b64",
        "fence.proxy.async.shared::cta",
        "fence.mbarrier_init.release.cluster",
        "griddepcontrol.wait"})
    EXPECT_TRUE(is_known(opcode)) << opcode;
}

// Each a slip away from one that is known, or of a kind that is refused: clusters, multicast,
// im2col.
TEST(AsynchronousOpcodes, OthersAreNot) {
  for (const char* const opcode :
       {"mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32",
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.f16.f32",
        "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32",
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16",
        "mma.sync.m16n8k16.row.col.f32.bf16.bf16.f32",
        "ldmatrix.sync.aligned.m8n8.x3.shared.b16",
        "ldmatrix.sync.aligned.m8n8.x4.shared.trans.b16",
        "ldmatrix.sync.aligned.m8n16.x4.shared.b16",
        "stmatrix.sync.aligned.m8n8.x4.shared.b8",
        "wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16",
        "wgmma.mma_async.sync.aligned.m64n264k16.f32.bf16.bf16",
        "wgmma.mma_async.sync.aligned.m64n64k8.f32.bf16.bf16",
        "wgmma.mma_async.sync.aligned.m64n64k16.f16.f16.f16",
        "wgmma.mma_async.sp.sync.aligned.m64n64k32.f32.bf16.bf16",
        "wgmma.wait_group.sync",
        "setmaxnreg.sync.aligned.u32",
        "cp.async.cg.global.shared",
        "cp.async.ca.shared.global.L2::64B.L2::cache_hint",
        "cp.async.wait_group.read",
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster",
        "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.6d.shared::cluster.global.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.2d.global.shared::cluster.bulk_group",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.bf16",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s64",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32",
        "mbarrier.arrive.noComplete.release.cta.shared::cta.b64",
        "mbarrier.try_wait.parity.release.cta.shared::cta.b64",
        "mbarrier.init.shared::cluster.b64",
        "fence.proxy.async.shared",
        "fence.proxy.alias",
        "fence.mbarrier_init.acquire.cluster"})
    EXPECT_FALSE(is_known(opcode)) << opcode;
}

TEST(AsynchronousOpcodes, AreMatchedToTheirEnds) {
  for (const std::string opcode :
       {"wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16",
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes",
        "mbarrier.try_wait.parity.shared::cta.b64", "ldmatrix.sync.aligned.m8n8.x4.shared.b16"}) {
    EXPECT_TRUE(is_known(opcode));
    EXPECT_FALSE(is_known(opcode + "x"));
    EXPECT_FALSE(is_known(opcode + ".b32"));
    for (std::size_t length = 1; length < opcode.size(); ++length)
      EXPECT_FALSE(is_known(opcode.substr(0, length))) << opcode.substr(0, length);
  }
}

}  // namespace
}  // namespace lodestone::ptx
