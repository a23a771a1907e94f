#include <gtest/gtest.h>

#include "kernels/squared_error.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::random_elements, testing::relative_error;

// None, one, fewer than a warp, a tail, several rounds of the block.
const std::vector<std::int64_t> kCounts = {0, 1, 7, 2049, 11503};

template <class T>
class SquaredErrorCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(SquaredErrorCuda, Types);

TYPED_TEST(SquaredErrorCuda, ForwardIsTheCpusAndTheSameTwice) {
  for (const std::int64_t count : kCounts) {
    const auto predictions = random_elements<TypeParam>(count, 1);
    const auto targets = random_elements<float>(count, 2);
    float expected = NAN;
    run(kernels::SquaredErrorForwardArgs{predictions.data(), targets.data(), &expected, count,
                                         kDTypeOf<TypeParam>},
        cpu_stream());
    CudaStream stream(0);
    DeviceArray<TypeParam> predictions_there(predictions);
    DeviceArray<float> targets_there(targets), loss(1, NAN), again(1, NAN);
    for (float* to : {loss.data(), again.data()})
      run(kernels::SquaredErrorForwardArgs{predictions_there.data(), targets_there.data(), to,
                                           count, kDTypeOf<TypeParam>},
          stream);
    EXPECT_NEAR(loss.host().front(), expected, 1e-7 * expected) << count;
    EXPECT_EQ(loss.host(), again.host());
  }
}

template <class T>
void check_backward(std::int64_t count, std::int64_t offset, bool accumulate) {
  const auto predictions = random_elements<T>(offset + count, 1);
  const auto targets = random_elements<float>(offset + count, 2);
  const std::vector<float> dloss = {0.3f};
  std::vector<T> expected(predictions.size(), T(1.0f));
  run(kernels::SquaredErrorBackwardArgs{dloss.data(),
                                        predictions.data() + offset,
                                        targets.data() + offset,
                                        {expected.data() + offset, accumulate},
                                        count,
                                        kDTypeOf<T>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> predictions_there(predictions),
      gradient(offset + count, T(accumulate ? 1.0f : NAN));
  DeviceArray<float> targets_there(targets), dloss_there(dloss);
  run(kernels::SquaredErrorBackwardArgs{dloss_there.data(),
                                        predictions_there.data() + offset,
                                        targets_there.data() + offset,
                                        {gradient.data() + offset, accumulate},
                                        count,
                                        kDTypeOf<T>},
      stream);
  auto got = gradient.host();
  got.erase(got.begin(), got.begin() + offset);
  expected.erase(expected.begin(), expected.begin() + offset);
  EXPECT_LE(relative_error(got, expected), testing::kRounding<T>) << count;
}

TYPED_TEST(SquaredErrorCuda, BackwardIsTheCpus) {
  for (const std::int64_t count : kCounts)
    for (const std::int64_t offset : {0, 1})
      for (const bool accumulate : {false, true})
        check_backward<TypeParam>(count, offset, accumulate);
}

}  // namespace
}  // namespace lodestone
