#include "kernels/tanh.h"
#include "tests/gpu/elementwise_cases.h"

namespace lodestone {
namespace {

using kernels::TanhBackwardArgs, kernels::TanhForwardArgs;

TEST(TanhCuda, IsTheCpus) {
  testing::check_elementwise<TanhForwardArgs, TanhBackwardArgs, float>();
  testing::check_elementwise<TanhForwardArgs, TanhBackwardArgs, BFloat16>();
}

}  // namespace
}  // namespace lodestone
