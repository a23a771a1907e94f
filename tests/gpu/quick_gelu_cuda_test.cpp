#include "kernels/quick_gelu.h"
#include "tests/gpu/elementwise_cases.h"

namespace lodestone {
namespace {

using kernels::QuickGeluBackwardArgs, kernels::QuickGeluForwardArgs;

TEST(QuickGeluCuda, IsTheCpus) {
  testing::check_elementwise<QuickGeluForwardArgs, QuickGeluBackwardArgs, float>();
  testing::check_elementwise<QuickGeluForwardArgs, QuickGeluBackwardArgs, BFloat16>();
}

TEST(QuickGeluCuda, LargeInputs) {
  const std::vector<float> x = {-1e30f, -200, -60, -30, 0, 30, 200, 1e30f};
  CudaStream stream(0);
  testing::DeviceArray<float> x_there(x), y(std::ssize(x), NAN);
  run(QuickGeluForwardArgs{x_there.data(), y.data(), std::ssize(x), DType::kF32}, stream);
  const std::vector<float> got = y.host();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = x[i] / (1 + std::exp(-1.702 * static_cast<double>(x[i])));
    EXPECT_NEAR(got[i], expected, 1e-6 * std::abs(expected) + 1e-30) << x[i];
  }
}

}  // namespace
}  // namespace lodestone
