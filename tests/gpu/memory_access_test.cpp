// Loads and stores: vectors, extension, spaces, and what is a finding about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gpu/ptx_program.h"

namespace lodestone::ptx {
namespace {

using ::testing::HasSubstr;

// Threads run `body` with %place an address of 64 bytes and %out that of their own eight.
std::vector<std::uint64_t> run_body(const std::string& body, std::vector<std::uint8_t> bytes,
                                    std::uint32_t threads = 1) {
  PtxProgram program(ptx_header() + R"(
.const .align 4 .u32 table[3] = {7, 8, 9};
.visible .entry k(.param .u64 p0, .param .u64 p1) {
  .reg .b16 %h<8>;
  .reg .b32 %r<8>;
  .reg .b64 %place, %out, %d<8>, %x;
  .local .align 8 .b8 scratch[32];
  .shared .align 16 .b8 first[64];
  .shared .align 16 .b8 second[64];
  mov.u32 %r0, %tid.x;
  ld.param.u64 %out, [p0];
  mad.wide.u32 %out, %r0, 8, %out;
  ld.param.u64 %place, [p1];
)" + body + "\n st.global.u64 [%out], %d0;\n ret;\n}\n");
  bytes.resize(64);
  std::byte* out = program.memory().allocate(std::size_t{8} * threads);
  std::byte* place = program.memory().allocate(64);
  std::memcpy(place, bytes.data(), 64);
  program.run("k", 1, threads,
              {reinterpret_cast<std::uint64_t>(out), reinterpret_cast<std::uint64_t>(place)});
  std::vector<std::uint64_t> results(threads);
  std::memcpy(results.data(), out, std::size_t{8} * threads);
  return results;
}

TEST(MemoryAccess, NarrowNumbersAreExtended) {
  const std::vector<std::uint8_t> bytes{0x80, 0xff, 1, 0x80};
  const auto load = [&](const std::string& instruction) { return run_body(instruction, bytes)[0]; };
  EXPECT_EQ(load("ld.global.u8 %d0, [%place];"), 0x80u);
  EXPECT_EQ(load("ld.global.s8 %d0, [%place];"), 0xffffffffffffff80u);
  EXPECT_EQ(load("ld.global.s16 %r1, [%place]; cvt.u64.u32 %d0, %r1;"), 0xffffff80u);
  EXPECT_EQ(load("ld.global.s32 %d0, [%place];"), 0xffffffff8001ff80u);
  EXPECT_EQ(load("ld.global.nc.L2::128B.u16 %h1, [%place+2]; cvt.u64.u16 %d0, %h1;"), 0x8001u);
}

TEST(MemoryAccess, VectorsOfTwoAndFour) {
  const std::vector<std::uint8_t> bytes{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0};
  EXPECT_EQ(run_body("ld.global.v4.u32 {%r1, _, %r3, %r4}, [%place]; mul.wide.u32 %d0, %r3, %r4;",
                     bytes)[0],
            12u);
  EXPECT_EQ(run_body("ld.global.v2.b64 {%d1, %d0}, [%place];", bytes)[0], 0x400000003u);
  EXPECT_EQ(
      run_body("st.global.v2.u32 [%place+8], {10, 11}; ld.global.u64 %d0, [%place+8];", bytes)[0],
      0xb0000000au);
}

TEST(MemoryAccess, EverySpace) {
  EXPECT_EQ(run_body("ld.const.u32 %r1, [table+8]; cvt.u64.u32 %d0, %r1;", {})[0], 9u);
  EXPECT_EQ(
      run_body("mov.u64 %x, table; add.u64 %x, %x, 4; ld.u32 %r1, [%x]; cvt.u64.u32 %d0, %r1;",
               {})[0],
      8u);
  // Each thread has local memory of its own, also by generic addresses.
  const auto local = run_body(
      "mov.u64 %x, scratch; cvta.local.u64 %d1, %x; st.local.u32 [scratch+4], %r0;"
      " ld.u32 %r1, [%d1+4]; cvt.u64.u32 %d0, %r1;",
      {}, 40);
  for (std::uint64_t thread = 0; thread < local.size(); ++thread) EXPECT_EQ(local[thread], thread);
  const auto shared = run_body(
      "cvta.shared.u64 %x, first; mov.u32 %r1, first; mad.lo.u32 %r1, %r0, 4, %r1;"
      " st.shared.u32 [%r1], %r0; bar.sync 0; ld.u32 %r2, [%x+12]; cvt.u64.u32 %d0, %r2;",
      {}, 16);
  EXPECT_EQ(shared[0], 3u);
  EXPECT_EQ(run_body("cvta.param.u64 %x, p1; ld.u64 %d0, [%x]; sub.u64 %d0, %d0, %place;", {})[0],
            0u);
}

void expect_finding(const std::string& body, FindingKind kind, const std::string& text) {
  try {
    run_body(body, {}, 32);
    ADD_FAILURE() << "no finding: " << body;
  } catch (const KernelFault& fault) {
    EXPECT_EQ(fault.finding().kind, kind) << body;
    EXPECT_THAT(fault.what(), HasSubstr(text)) << body;
  }
}

TEST(MemoryAccess, StraysAndMisalignmentAreFound) {
  using enum FindingKind;
  expect_finding("ld.global.u32 %r1, [%place+64];", kOutOfBounds,
                 "global read of 4 bytes out of bounds");
  expect_finding("ld.global.u64 %d0, [%place+60];", kMisaligned, "not a multiple of 8");
  expect_finding("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%place+56];", kMisaligned, "16 bytes");
  expect_finding("st.global.u32 [0], 1;", kOutOfBounds, "global write of 4 bytes");
  expect_finding("st.shared.u32 [first+64], 1;", kOutOfBounds,
                 "64 bytes past the start of an object of 64 bytes");
  expect_finding("st.shared.u32 [second+-4], 1;", kOutOfBounds, "shared write");
  expect_finding("ld.local.u64 %d0, [scratch+32];", kOutOfBounds, "local read");
  expect_finding("cvta.param.u64 %x, p1; st.u64 [%x], 0;", kOutOfBounds, "can only be read");
  expect_finding("cvta.param.u64 %x, p1; ld.u64 %d0, [%x+8];", kOutOfBounds, "parameter read");
  // The one thread at fault is named.
  expect_finding("mad.wide.u32 %x, %r0, 4, %place; ld.global.u32 %r1, [%x];", kOutOfBounds,
                 "thread (16, 0, 0)");
}

}  // namespace
}  // namespace lodestone::ptx
