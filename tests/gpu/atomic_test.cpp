// Atomics against the same done one lane after the other.
#include <gtest/gtest.h>

#include <bit>
#include <functional>

#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/ptx_program.h"

namespace lodestone::ptx {
namespace {

constexpr std::uint32_t kThreads = 40;  // a warp, and a part of one

// Runs `body` on kThreads threads with %a the linear thread, %place the address of 32 bytes that
// start as given, and %d to be stored.
struct AtomicRun {
  std::vector<std::uint32_t> memory;
  std::vector<std::uint64_t> results;
};

AtomicRun run_atomic(const std::string& body, std::vector<std::uint32_t> memory) {
  PtxProgram program(ptx_header() + R"(
.visible .entry k(.param .u64 out, .param .u64 in) {
  .reg .b16 %h<4>;
  .reg .b32 %a, %w<8>;
  .reg .b64 %place, %out, %d, %x;
  .reg .f32 %f<8>;
  mov.u32 %a, %tid.x;
  mov.u64 %d, 0;
  ld.param.u64 %place, [in];
)" + body + R"(
  ld.param.u64 %out, [out];
  mad.wide.u32 %out, %a, 8, %out;
  st.global.u64 [%out], %d;
  ret;
}
)");
  memory.resize(8);
  std::byte* place = program.memory().allocate(32);
  std::byte* out = program.memory().allocate(std::size_t{8} * kThreads);
  std::memcpy(place, memory.data(), 32);
  program.run("k", 1, kThreads,
              {reinterpret_cast<std::uint64_t>(out), reinterpret_cast<std::uint64_t>(place)});
  AtomicRun run{memory, std::vector<std::uint64_t>(kThreads)};
  std::memcpy(run.memory.data(), place, 32);
  std::memcpy(run.results.data(), out, std::size_t{8} * kThreads);
  return run;
}

using Step = std::function<std::uint32_t(std::uint32_t old, std::uint32_t thread)>;

void expect_32_bits(const std::string& operation, const std::string& operand, std::uint32_t start,
                    const Step& step) {
  const AtomicRun run = run_atomic(
      "atom.global." + operation + " %w0, [%place], " + operand + "; cvt.u64.u32 %d, %w0;",
      {start});
  std::uint32_t value = start;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(run.results[thread], value) << operation << ", thread " << thread;
    value = step(value, thread);
  }
  EXPECT_EQ(run.memory[0], value) << operation;
  const AtomicRun reduced =
      run_atomic("red.global." + operation + " [%place], " + operand + ";", {start});
  EXPECT_EQ(reduced.memory[0], value) << "red." << operation;
}

TEST(Atomic, IntegersOf32Bits) {
  expect_32_bits("add.u32", "%a", 5, [](auto old, auto thread) { return old + thread; });
  expect_32_bits("and.b32", "0xfffffff0", 0x1234, [](auto old, auto) { return old & 0xfffffff0; });
  expect_32_bits("or.b32", "%a", 64, [](auto old, auto thread) { return old | thread; });
  expect_32_bits("xor.b32", "%a", 64, [](auto old, auto thread) { return old ^ thread; });
  expect_32_bits("max.u32", "%a", 7, [](auto old, auto thread) { return std::max(old, thread); });
  expect_32_bits("min.s32", "%a", 7, [](auto old, auto thread) { return std::min(old, thread); });
  expect_32_bits("inc.u32", "9", 0, [](auto old, auto) { return old >= 9 ? 0 : old + 1; });
  expect_32_bits("dec.u32", "9", 0,
                 [](auto old, auto) { return old == 0 || old > 9 ? 9u : old - 1; });
}

TEST(Atomic, ExchangeAndCompare) {
  const AtomicRun swapped =
      run_atomic("atom.global.exch.b32 %w0, [%place], %a; cvt.u64.u32 %d, %w0;", {77});
  EXPECT_EQ(swapped.results[0], 77u);
  EXPECT_EQ(swapped.results[39], 38u);
  EXPECT_EQ(swapped.memory[0], 39u);
  // Each thread finds what the one before it left.
  const AtomicRun chain = run_atomic(
      "add.u32 %w1, %a, 1; atom.global.cas.b32 %w0, [%place], %a, %w1; cvt.u64.u32 %d, %w0;", {0});
  EXPECT_EQ(chain.memory[0], kThreads);
  EXPECT_EQ(chain.results[20], 20u);
  const AtomicRun wide =
      run_atomic("mov.u64 %x, 5; atom.global.cas.b64 %d, [%place], 0, %x;", {0, 0});
  EXPECT_EQ(wide.memory[0], 5u);
  EXPECT_EQ(wide.results[1], 5u);
}

TEST(Atomic, SumsOfNumbers) {
  const auto sum = run_atomic("cvt.rn.f32.u32 %f0, %a; red.global.add.f32 [%place], %f0;", {0});
  EXPECT_EQ(std::bit_cast<float>(sum.memory[0]), 780.0f);
  const auto wide = run_atomic("cvt.rn.f64.u32 %x, %a; red.global.add.f64 [%place], %x;", {0, 0});
  EXPECT_EQ(std::bit_cast<double>(std::uint64_t{wide.memory[1]} << 32 | wide.memory[0]), 780.0);
  // Global memory flushes subnormal numbers, shared memory keeps them.
  const auto small = run_atomic("red.global.add.f32 [%place], 0f00000001;", {0});
  EXPECT_EQ(small.memory[0], 0u);
  const auto shared = run_atomic(
      "{ .shared .align 4 .b32 s; .reg .pred %p; setp.eq.u32 %p, %a, 0; @%p st.shared.u32 [s], 0;"
      " bar.sync 0; red.shared.add.f32 [s], 0f00000001; bar.sync 0; ld.shared.u32 %w0, [s];"
      " cvt.u64.u32 %d, %w0; }",
      {0});
  EXPECT_EQ(shared.results[0], kThreads);
}

// Forty times; in bf16, 64 + 0.25 is a tie that goes back to 64.
TEST(Atomic, PairsOfHalves) {
  const auto f16 = run_atomic("red.global.add.noftz.f16x2 [%place], 0x34003800;", {0});
  EXPECT_EQ(f16_value(static_cast<std::uint16_t>(f16.memory[0])), 20.0f);
  EXPECT_EQ(f16_value(static_cast<std::uint16_t>(f16.memory[0] >> 16)), 10.0f);
  const auto bf16 = run_atomic("red.global.add.noftz.bf16x2 [%place], 0x3e803f80;", {0x42800000});
  EXPECT_EQ(bf16_value(static_cast<std::uint16_t>(bf16.memory[0])), 40.0f);
  EXPECT_EQ(bf16_value(static_cast<std::uint16_t>(bf16.memory[0] >> 16)), 64.0f);
}

TEST(Atomic, Vectors) {
  const auto sum = run_atomic(
      "cvt.rn.f32.u32 %f0, %a; mov.f32 %f1, 0f3F800000;"
      "atom.global.add.v4.f32 {%f4, %f5, %f6, %f7}, [%place], {%f0, %f1, %f0, %f1};"
      "cvt.rzi.u64.f32 %d, %f5;",
      {0, 0, 0, 0});
  EXPECT_EQ(std::bit_cast<float>(sum.memory[0]), 780.0f);
  EXPECT_EQ(std::bit_cast<float>(sum.memory[1]), 40.0f);
  EXPECT_EQ(std::bit_cast<float>(sum.memory[2]), 780.0f);
  EXPECT_EQ(sum.results[17], 17u);
  const auto halves = run_atomic(
      "mov.b32 %w0, 0x3c003c00; red.global.add.noftz.v2.f16x2 [%place], {%w0, %w0};", {0, 0});
  EXPECT_EQ(halves.memory[0], 0x51005100u);  // 40 in each
  EXPECT_EQ(halves.memory[1], 0x51005100u);
}

TEST(Atomic, GenericAddressesOfBothSpaces) {
  const auto run = run_atomic(
      "{ .shared .align 4 .b32 s; .reg .pred %p; setp.eq.u32 %p, %a, 0; @%p st.shared.u32 [s], 0;"
      " bar.sync 0; cvta.shared.u64 %x, s; setp.lt.u32 %p, %a, 10; @%p mov.u64 %place, %x;"
      " red.add.u32 [%place], 1; bar.sync 0; ld.shared.u32 %w0, [s]; cvt.u64.u32 %d, %w0; }",
      {0});
  EXPECT_EQ(run.memory[0], 30u);
  EXPECT_EQ(run.results[0], 10u);
}

}  // namespace
}  // namespace lodestone::ptx
