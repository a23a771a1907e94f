// Calls, recursion, structures by value, tables of branches, barriers that count, variables of the
// module.
#include "tests/gpu/kernels/control_kernels.h"

#include <gtest/gtest.h>

#include "tests/gpu/device_array.h"

namespace lodestone::testing {
namespace {

TEST(ControlKernels, FunctionsThatCallEachOtherAndThemselves) {
  const std::vector<int> fibonacci{0, 1, 1, 2, 3, 5, 8, 13, 21, 34};
  std::vector<float> x(50);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.25f;
  DeviceArray<float> from(x), to(50, 0.0f);
  write_scale(2);
  run_calls(to.data(), from.data(), 50);
  const std::vector<float> got = to.host();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float polynomial = ((1 * x[i] + 2) * x[i] + 3) * x[i] + 4;
    EXPECT_EQ(got[i], 2 * polynomial + static_cast<float>(fibonacci[i % 10])) << i;
  }
}

TEST(ControlKernels, StructuresByValue) {
  DeviceArray<int> out(10, 0);
  run_structures(out.data(), {1.5f, {10, 20, 30, 40, 50}}, 10);
  EXPECT_EQ(out.host(), (std::vector<int>{113, 123, 133, 143, 153, 113, 123, 133, 143, 153}));
}

TEST(ControlKernels, ATableOfBranches) {
  DeviceArray<int> out(std::vector<int>{10, 11, 12, 13, 14, 15, 16, 17, 18});
  run_switch(out.data(), 9);
  EXPECT_EQ(out.host(), (std::vector<int>{3, 55, 19, 13 ^ 21, -14, 60, -1, 50, -1}));
}

TEST(ControlKernels, BarriersThatCountPredicates) {
  DeviceArray<int> out(96, 0);
  run_counting_barriers(out.data(), 40);
  EXPECT_EQ(out.host(), std::vector<int>(96, 40 * 4 + 1));
  run_counting_barriers(out.data(), 96);
  EXPECT_EQ(out.host(), std::vector<int>(96, 96 * 4 + 3));
  run_counting_barriers(out.data(), 0);
  EXPECT_EQ(out.host(), std::vector<int>(96, 0));
}

TEST(ControlKernels, VariablesOfTheModule) {
  DeviceArray<int> out(1, 0);
  run_texts(out.data(), 1, 2);
  EXPECT_EQ(out.host()[0], 'c');
  const int before = read_counter();
  run_counter(3);
  EXPECT_EQ(read_counter(), before + 64 * 3);
}

}  // namespace
}  // namespace lodestone::testing
