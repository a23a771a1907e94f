// The PTX parser: what nvcc writes is understood, everything else refused with its line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "engine/core/error.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {
namespace {

constexpr const char* kSample = R"(
// a comment
.version 9.0
.target sm_90a, texmode_independent
.address_size 64
.extern .func (.param .b32 func_retval0) vprintf ( .param .b64 a0, .param .b64 a1 );
.global .align 4 .b8 table[12] = {1, 0x2, 3, 4};
.global .align 8 .u64 pointers[2] = {generic(table), table+4};
.const .f32 one = 0f3F800000;
.extern .shared .align 16 .b8 dynamic[];
.visible .entry kernel( .param .u64 .ptr .global .align 4 kernel_param_0,
  .param .align 4 .b8 kernel_param_1[24] )
.maxntid 128, 2, 1
.minnctapersm 2
{
  .reg .pred %p<3>;
  .reg.b32 %r<4>;
  .reg .b64 %rd<5>;
  .shared .align 4 .b8 fixed[64];
  .loc 1 10 3
  ld.param.u64 %rd1, [kernel_param_0];
  .loc 2 5 1, function_name $L__info_string0, inlined_at 1 10 3
  ld.param.u32 %r1, [kernel_param_1+20];
  @!%p1 bra $L__BB0_2;
  { .reg .b32 %r1; LAB: mov.u32 %r1, -7; bra LAB; }
  { LAB: mov.b64 {%r1, _}, %rd1; bra LAB; }
  mov.b64 %rd2, {%r1, 64};
$L__BB0_2:
  shfl.sync.idx.b32 %r2|%p2, %r1, 0, 31, -1;
  cp.async.bulk.tensor.2d.shared::cluster.global [%r1], [%rd1, {%r2, %r3}], [dynamic];
  ret;
}
.file 1 "/a/b/kernel.cu"
.file 2 "/a/b/inlined.h", 1234, 5678
.section .debug_str { .b8 1,2 }
)";

TEST(Parser, UnderstandsWhatNvccWrites) {
  const Module module = parse(kSample);
  EXPECT_EQ(module.target, "sm_90a");
  ASSERT_EQ(module.files.size(), 3u);
  EXPECT_EQ(module.files[2], "/a/b/inlined.h");
  ASSERT_EQ(module.variables.size(), 4u);
  EXPECT_EQ(module.variables[0].size, 12u);
  EXPECT_EQ(module.variables[0].initial[1], std::byte{2});
  EXPECT_EQ(module.variables[1].relocations.size(), 2u);
  EXPECT_EQ(module.variables[1].relocations[1].addend, 4);
  EXPECT_EQ(module.variables[2].space, AddressSpace::kConstant);
  EXPECT_TRUE(module.variables[3].is_external);
  const Function* kernel = module.find("kernel");
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->most_threads, 256u);
  EXPECT_EQ(kernel->parameter_count, 2u);
  EXPECT_EQ(kernel->variables[1].size, 24u);
  EXPECT_FALSE(module.find("vprintf")->is_defined);
}

TEST(Parser, NamesBelongToTheirBraces) {
  const Module module = parse(kSample);
  const auto& code = module.find("kernel")->instructions;
  ASSERT_EQ(code.size(), 11u);
  EXPECT_EQ(code[0].opcode, "ld.param.u64");
  EXPECT_EQ(code[2].operands[0].index, 8u);  // over the inner code, to the shuffle
  EXPECT_TRUE(code[2].guard->negated);
  EXPECT_NE(code[3].operands[0].index, code[1].operands[0].index);  // two registers %r1
  EXPECT_EQ(code[4].operands[0].index, 3u);
  EXPECT_EQ(code[6].operands[0].index, 5u);
  EXPECT_EQ(code[3].operands[1].bits, static_cast<std::uint64_t>(-7));
  EXPECT_EQ(code[7].operands[1].kind, Operand::Kind::kVector);
  EXPECT_EQ(code[8].operands[0].kind, Operand::Kind::kPair);
  EXPECT_EQ(code[9].operands[1].elements[1].elements.size(), 2u);
}

TEST(Parser, KnowsWhereInlinedCodeWasCalled) {
  const Module module = parse(kSample);
  const Instruction& inlined = module.find("kernel")->instructions[1];
  const Location& own = module.locations[inlined.location];
  EXPECT_EQ(own.file, 2u);
  EXPECT_EQ(own.line, 5u);
  EXPECT_EQ(module.locations[own.inlined_at].line, 10u);
}

struct BadText {
  const char* text;
  const char* why;
};

TEST(Parser, RefusesWithTheLine) {
  for (const auto& [text, why] : std::vector<BadText>{
           {".version 9.0\n.what 3\n", "PTX line 2: a directive of a module was expected"},
           {".global .b8 x[99999999999];", "too large"},
           {".global .b8 x[2] = {1,2,3};", "more initial values"},
           {".global .align 3 .b8 x;", "power of two"},
           {".global .u32 x = nosuch;", "not of 64 bits"},
           {".entry k() {\n .reg .b32 %d;\n mov.u32 %d, %r1;\n}", "special register '%r1'"},
           {".entry k() {\n mov.u32 nosuch, 1;\n}", "PTX line 2: 'nosuch' is not declared"},
           {".entry k() {\n .reg .b32 %r<2000000>;\n}", "1,000,000 registers"},
           {".entry k() {\n bra NOWHERE;\n}", "the label 'NOWHERE' is not defined"},
           {".entry k() {\n @%r1 ret;\n}", "not a predicate register"},
           {".entry k() {\n ret", "found ''"},
           {".entry k() {\n .reg .b128 %r;\n}", "not supported"},
           {".file 99999999 \"a\"", "above"},
           {".file 1 \"a", "not closed"},
           {".entry k() {\n .reg .b32 %r1;\n mov.u32 %r1, 12z;\n}", "a number was expected"},
           {".entry k() {\n .reg .b32 %r1;\n mov.u32 {{{{{{%r1}}}}}}, 1;\n}", "too deeply"}}) {
    try {
      GlobalMemory memory;
      LoadedModule module(parse(text), memory);
      module.kernel("k");
      ADD_FAILURE() << text << " was accepted";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(why)) << text;
    }
  }
}

// Any text is understood or refused. With --gtest_repeat and --gtest_shuffle, other texts each
// time.
TEST(Parser, SurvivesRandomChanges) {
  std::mt19937 engine(static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed()));
  const std::string sample = kSample;
  const std::string signs = ";,{}[]()|@!%.:+-\"/*<>0f \n";
  int understood = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = sample;
    const unsigned changes = 1 + engine() % 4;
    for (unsigned i = 0; i < changes; ++i) {
      const std::size_t at = engine() % text.size(), size = engine() % 40;
      switch (engine() % 4) {
        case 0:
          text[at] = signs[engine() % signs.size()];
          break;
        case 1:
          text.erase(at, size);
          break;
        case 2:
          text.insert(at, sample.substr(engine() % sample.size(), size));
          break;
        default:
          text.insert(at, 1, signs[engine() % signs.size()]);
          break;
      }
      if (text.empty()) text = sample;
    }
    try {
      Module module = parse(text);
      ++understood;
      GlobalMemory memory;
      LoadedModule(std::move(module), memory).kernel("kernel");
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::kInternal) << error.what();
    }
  }
  EXPECT_GT(understood, 0);
}

}  // namespace
}  // namespace lodestone::ptx
