// Operations between the lanes of a warp, and what is a finding about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <numeric>

#include "tests/gpu/ptx_program.h"

namespace lodestone::ptx {
namespace {

std::vector<std::uint32_t> lanes() {
  std::vector<std::uint32_t> values(32);
  std::iota(values.begin(), values.end(), 0u);
  return values;
}

std::vector<std::uint32_t> run_lanes(const std::string& instructions) {
  return run_instruction<std::uint32_t>(instructions, lanes());
}

// The source lane of the PTX manual's pseudo-code, or the lane itself.
std::uint32_t source_lane(const std::string& mode, int lane, int b, int clamp, int segment) {
  const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
  int source = 0;
  bool inside = false;
  if (mode == "up") {
    source = lane - b;
    inside = source >= most;
  } else if (mode == "down") {
    source = lane + b;
    inside = source <= most;
  } else if (mode == "bfly") {
    source = lane ^ b;
    inside = source <= most;
  } else {
    source = least | (b & ~segment);
    inside = source <= most;
  }
  return static_cast<std::uint32_t>(inside ? source : lane);
}

TEST(WarpOperations, ShufflesWithinSegments) {
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    for (const int width : {32, 16, 8, 2}) {
      for (const int by : {0, 1, 3, 8, 31}) {
        const int segment = 32 - width, clamp = mode == "up" ? 0 : 31;
        const auto got = run_lanes(
            fmt::format("shfl.sync.{}.b32 %d, %a, {}, {}, -1;", mode, by, segment << 8 | clamp));
        for (int lane = 0; lane < 32; ++lane) {
          EXPECT_EQ(got[static_cast<std::size_t>(lane)],
                    source_lane(mode, lane, by, clamp, segment))
              << mode << " by " << by << " in segments of " << width;
        }
      }
    }
  }
}

TEST(WarpOperations, VotesAndBallots) {
  const std::string odd = "and.b32 %t, %a, 1; setp.ne.u32 %p, %t, 0; ";
  EXPECT_EQ(run_lanes(odd + "vote.sync.ballot.b32 %d, %p, -1;"),
            std::vector<std::uint32_t>(32, 0xaaaaaaaa));
  EXPECT_EQ(run_lanes(odd + "vote.sync.any.pred %q, %p, -1; selp.u32 %d, 1, 0, %q;")[0], 1u);
  EXPECT_EQ(run_lanes(odd + "vote.sync.all.pred %q, %p, -1; selp.u32 %d, 1, 0, %q;")[0], 0u);
  // Only the odd lanes take part.
  const auto got = run_lanes(odd + "mov.u32 %d, 5; @%p vote.sync.ballot.b32 %d, %p, 0xaaaaaaaa;");
  for (std::uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(got[lane], lane % 2 == 1 ? 0xaaaaaaaa : 5);
}

TEST(WarpOperations, MatchesAndReductions) {
  const auto match = run_lanes("and.b32 %t, %a, 3; match.any.sync.b32 %d, %t, -1;");
  for (std::uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(match[lane], 0x11111111u << lane % 4);
  EXPECT_EQ(run_lanes("match.all.sync.b32 %d|%p, %a, -1;")[0], 0u);
  EXPECT_EQ(run_lanes("redux.sync.add.u32 %d, %a, -1;"), std::vector<std::uint32_t>(32, 496));
  EXPECT_EQ(run_lanes("redux.sync.max.s32 %d, %a, -1;")[0], 31u);
}

// Lanes that branched apart meet again at the operation that names them all.
TEST(WarpOperations, LanesMeetAtAnOperationThatNamesThem) {
  const auto got = run_lanes(
      "setp.lt.u32 %p, %a, 16; @%p bra LOW; add.u32 %t, %a, 100; bra MEET;\n"
      "LOW: mov.u32 %t, %a;\nMEET: shfl.sync.bfly.b32 %d, %t, 16, 31, -1;");
  for (std::uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(got[lane], lane < 16 ? lane + 116 : lane - 16);
}

// Two halves of a warp at one instruction, each naming itself.
TEST(WarpOperations, PartsOfAWarpWithMasksOfTheirOwn) {
  const auto got = run_lanes(
      "setp.lt.u32 %p, %a, 16; selp.b32 %t, 0x0000ffff, 0xffff0000, %p; redux.sync.add.u32 %d, %a, "
      "%t;");
  EXPECT_EQ(got[0], 120u);
  EXPECT_EQ(got[31], 376u);
}

void expect_finding(const std::string& instructions, FindingKind kind, const std::string& text) {
  try {
    run_lanes(instructions);
    ADD_FAILURE() << "no finding: " << instructions;
  } catch (const KernelFault& fault) {
    EXPECT_EQ(fault.finding().kind, kind);
    EXPECT_THAT(fault.what(), ::testing::HasSubstr(text));
  }
}

TEST(WarpOperations, MisuseIsFound) {
  const std::string low = "setp.lt.u32 %p, %a, 16; ";
  expect_finding(low + "@%p shfl.sync.idx.b32 %d, %a, 0, 31, -1;", FindingKind::kDivergence,
                 "lanes 0xffff0000 have returned");
  expect_finding(low + "@!%p bra END; shfl.sync.idx.b32 %d, %a, 0, 31, -1;\nEND: bar.warp.sync -1;",
                 FindingKind::kDivergence, "wait for each other in different places");
  expect_finding("shfl.sync.idx.b32 %d, %a, 0, 31, 0xffff;", FindingKind::kDivergence,
                 "does not name it");
  expect_finding(low + "@%p exit; bar.warp.sync -1;", FindingKind::kDivergence,
                 "names lanes that have returned");
  expect_finding(low + "@%p bra END; bar.sync 0;\nEND: bar.warp.sync -1;", FindingKind::kDivergence,
                 "wait for each other in different places");
  expect_finding("LOOP: bar.sync 1, 64; bra LOOP;", FindingKind::kDeadlock,
                 "every warp of the block waits");
  expect_finding("trap;", FindingKind::kTrap, "stopped itself");
}

TEST(WarpOperations, SleepingIsNoDeadlock) {
  EXPECT_EQ(run_lanes("nanosleep.u32 100; nanosleep.u32 100; mov.u32 %d, %a;"), lanes());
}

TEST(WarpOperations, EndlessLoopsEndAtTheLimit) {
  PtxProgram program(instruction_kernel("LOOP: bra LOOP;", 32, {32}));
  Options options;
  options.most_instructions = 1000;
  EXPECT_THROW(program.run("k", 1, 32, {0, 0}, options), KernelFault);
}

}  // namespace
}  // namespace lodestone::ptx
