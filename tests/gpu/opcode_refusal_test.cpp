// An opcode that the instrument does not have stops the kernel, by name: nothing is taken for
// something like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/error.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/ptx_program.h"

namespace lodestone::ptx {
namespace {

// Fifty opcodes that do not exist, each a slip away from one that does.
constexpr const char* kMutilated[]{
    "add.rm.s32",
    "add.rn.ftz.sat.f64",
    "add.f16.ftz",
    "add.none.bf16",
    "add.ftz.bf16",
    "sub.cc.f32",
    "mul.s32",
    "mul.wide.s64",
    "mul.lo.f32",
    "mul.hi.b32",
    "mad.lo.sat.s32",
    "fma.f32",
    "fma.rna.f32",
    "fma.rn.sat.f64",
    "fma.rn.f64.f32",
    "div.f32",
    "div.full.rn.f32",
    "sqrt.f32",
    "rcp.approx.f64",
    "ex2.f32",
    "ex2.approx.f64",
    "tanh.approx.f64",
    "min.NaN.ftz.f32",
    "max.b32",
    "abs.u32",
    "neg.u32",
    "bfi.s32",
    "bfe.b32",
    "shl.s32",
    "shf.l.b32",
    "prmt.b64",
    "lop3.b64",
    "setp.eq.f16x2.f32",
    "setp.lo.s32",
    "setp.gt.b32",
    "setp.equ.s32",
    "selp.pred",
    "set.eq.f64.f32",
    "cvt.f32.s32",
    "cvt.rn.s32.f32",
    "cvt.rzi.f32.s32",
    "cvt.rn.e4m3x2.f32",
    "cvt.rn.bf16x2.f16",
    "ld.global.v3.f32",
    "ld.shared.nc.f32",
    "st.const.f32",
    "atom.global.sub.s32",
    "atom.global.add.f16",
    "red.global.exch.b32",
    "shfl.bfly.b32",
};

TEST(OpcodeRefusal, FiftyMutilatedOpcodesAreRefusedByName) {
  static_assert(std::size(kMutilated) == 50);
  for (const char* opcode : kMutilated) {
    const std::string instruction = fmt::format("{} %d, %a, %a, %a;", opcode);
    PtxProgram program(instruction_kernel(instruction, 32, {32}));
    try {
      program.module().kernel("k");
      ADD_FAILURE() << opcode << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      EXPECT_THAT(error.what(), ::testing::HasSubstr(fmt::format("does not know '{}'", opcode)));
      EXPECT_THAT(error.what(), ::testing::HasSubstr("PTX of k"));
    }
  }
}

// Every form of the table, cut short or lengthened by a letter, is no opcode.
TEST(OpcodeRefusal, OpcodesAreMatchedToTheirEnds) {
  for (const std::string opcode :
       {"add.rn.ftz.sat.f32", "ld.global.nc.L2::128B.v4.f32", "atom.acq_rel.gpu.global.add.f64",
        "cvt.rn.satfinite.e4m3x2.f32", "shfl.sync.bfly.b32", "setp.gtu.and.ftz.f32"}) {
    EXPECT_NE(opcode_table().find(opcode).translation, nullptr) << opcode;
    EXPECT_EQ(opcode_table().find(opcode + "x").translation, nullptr) << opcode;
    EXPECT_EQ(opcode_table().find(opcode + ".ftz").translation, nullptr) << opcode;
    for (std::size_t length = 1; length < opcode.size(); ++length) {
      EXPECT_EQ(opcode_table().find(opcode.substr(0, length)).translation, nullptr)
          << opcode.substr(0, length);
    }
  }
}

struct BadOperands {
  const char* instruction;
  const char* why;
};

TEST(OpcodeRefusal, OperandsThatDoNotFitAreRefused) {
  for (const auto& [instruction, why] : std::vector<BadOperands>{
           {"add.s64 %d, %a, %a;", "has 32 bits, 64 are needed"},
           {"add.s32 %d, %a;", "too few or too many"},
           {"add.s32 %d, %a, %a, %a;", "too few or too many"},
           {"add.s32 5, %a, %a;", "the destination is no register"},
           {"mov.u32 %d, %nosuch;", "special register '%nosuch' is not known"},
           {"lop3.b32 %d, %a, %a, %a, %a;", "an integer constant was expected"},
           {"lop3.b32 %d, %a, %a, %a, 256;", "more than eight entries"},
           {"ld.global.v2.b32 %d, [%place];", "the vector has another length"},
           {"ld.global.b64 %d, [%place];", "narrower than the type"},
           {"st.param.b32 [p0], %a;", "cannot be written"},
           {"ld.param.b32 %d, [p1+16];", "outside of the parameters"},
           {"selp.b32 %d, %a, %a, %a;", "has 32 bits, 1 are needed"},
           {"call %a;", "calls through a pointer"},
           {"bra %a;", "label"}}) {
    try {
      PtxProgram program(instruction_kernel(instruction, 32, {32}));
      program.module().kernel("k");
      ADD_FAILURE() << instruction << " was accepted";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(why)) << instruction;
    }
  }
}

}  // namespace
}  // namespace lodestone::ptx
