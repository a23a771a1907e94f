// The main function of tests that need a device: without one they are skipped, and say so.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/core/stream.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  if (lodestone::cuda_device_count() == 0) {
    fmt::print("skipped: {}\n", lodestone::cuda_problem());
    return kSkipped;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
