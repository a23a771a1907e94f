#include <gtest/gtest.h>

#include <cmath>

#include "kernels/weighted_sum.h"
#include "tests/gpu/device_array.h"

namespace lodestone {
namespace {

using testing::DeviceArray;

const std::vector<double> kWeights = {0.2, -1.5, 1e-3, 1.0 / 3, 7, -0.1, 2, 1e4};

TEST(WeightedSumCuda, ForwardIsTheCpus) {
  const std::vector<float> terms = {1.5f, 0.25f, -900, 3, 0.125f, 11, -2, 1e-5f};
  for (const int count : {0, 1, 2, 3, 8}) {
    DeviceArray<float> terms_there(terms), y(1, NAN);
    float expected = NAN;
    kernels::WeightedSumForwardArgs here{}, there{};
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
      here.terms[k] = &terms[k];
      there.terms[k] = terms_there.data() + k;
      here.weights[k] = there.weights[k] = kWeights[k];
    }
    here.count = there.count = count;
    here.dtype = there.dtype = DType::kF32;
    here.y = &expected;
    there.y = y.data();
    run(here, cpu_stream());
    CudaStream stream(0);
    run(there, stream);
    EXPECT_EQ(y.host().front(), expected) << count << " terms";
  }
}

// Terms 0, 3, 6: nobody wants the gradient. Odd ones are added to.
TEST(WeightedSumCuda, BackwardIsTheCpus) {
  constexpr std::size_t kTerms = kernels::kMaxSumTerms;
  const float dy = 1.0f / 3;
  std::vector<float> before(kTerms), expected;
  for (std::size_t k = 0; k < kTerms; ++k) before[k] = k % 2 == 1 ? 1 : NAN;
  expected = before;
  DeviceArray<float> dy_there({dy}), dterms(before);
  kernels::WeightedSumBackwardArgs here{}, there{};
  for (std::size_t k = 0; k < kTerms; ++k) {
    here.weights[k] = there.weights[k] = kWeights[k];
    if (k % 3 == 0) continue;
    here.dterms[k] = {&expected[k], k % 2 == 1};
    there.dterms[k] = {dterms.data() + k, k % 2 == 1};
  }
  here.dy = &dy;
  there.dy = dy_there.data();
  here.count = there.count = kTerms;
  here.dtype = there.dtype = DType::kF32;
  run(here, cpu_stream());
  CudaStream stream(0);
  run(there, stream);
  const std::vector<float> got = dterms.host();
  for (std::size_t k = 0; k < kTerms; ++k)
    EXPECT_TRUE(got[k] == expected[k] || (k % 3 == 0 && k % 2 == 0 && std::isnan(got[k]))) << k;
  EXPECT_EQ(got[3], 1);
}

}  // namespace
}  // namespace lodestone
