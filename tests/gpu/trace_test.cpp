// The trace of one thread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gpu/ptx_program.h"

namespace lodestone::ptx {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string trace_of(std::uint64_t block, std::uint32_t thread) {
  PtxProgram program(ptx_header() + R"(
.visible .entry k() {
  .reg .pred %p;
  .reg .b32 %r<3>;
  .loc 1 7 1
  mov.u32 %r0, %tid.x;
  add.s32 %r1, %r0, 100;
  setp.gt.u32 %p, %r0, 5;
  @%p mov.b32 %r2, 0f3F800000;
  ret;
}
.file 1 "/a/kernel.cu"
)");
  Options options;
  options.trace = TraceTarget{block, thread};
  ::testing::internal::CaptureStderr();
  program.run("k", 2, 64, {}, options);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Trace, ShowsInstructionsAndValuesOfOneThread) {
  const std::string text = trace_of(1, 40);
  EXPECT_THAT(text, HasSubstr("kernel.cu:7 add.s32 %r1, %r0, 100"));
  EXPECT_THAT(text, HasSubstr("%r1 = 0x0000008c (140,"));
  EXPECT_THAT(text, HasSubstr("%p = true"));
  EXPECT_THAT(text, HasSubstr("(1065353216, 1)"));
  EXPECT_THAT(text, Not(HasSubstr("not executed")));
}

TEST(Trace, SaysWhatAGuardLeavesOut) {
  EXPECT_THAT(trace_of(0, 3), HasSubstr("@%p mov.b32 %r2, 0f3F800000  (not executed)"));
}

TEST(Trace, IsSilentForThreadsThatAreNotThere) {
  EXPECT_EQ(trace_of(7, 3), "");
}

}  // namespace
}  // namespace lodestone::ptx
