// Rounding is to the nearest, ties to even, on both devices: the same bits.
#include <gtest/gtest.h>

#include "kernels/cast.h"
#include "tests/gpu/elementwise_cases.h"

namespace lodestone {
namespace {

using testing::DeviceArray;

template <class From, class To>
void check_cast(const std::vector<From>& from, std::int64_t offset) {
  const std::int64_t count = std::ssize(from) - offset;
  std::vector<To> expected(from.size(), To(7.0f));
  run(kernels::CastArgs{from.data() + offset, expected.data() + offset, count, kDTypeOf<From>,
                        kDTypeOf<To>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<From> from_there(from);
  DeviceArray<To> to(std::ssize(from), To(7.0f));
  run(kernels::CastArgs{from_there.data() + offset, to.data() + offset, count, kDTypeOf<From>,
                        kDTypeOf<To>},
      stream);
  EXPECT_TRUE(testing::same_bits(to.host(), expected)) << count << " elements from " << offset;
}

TEST(CastCuda, IsTheCpus) {
  for (const std::int64_t count : testing::kElementCounts)
    for (const std::int64_t offset : {0, 1}) {
      const auto wide = testing::random_elements<float>(offset + count, 1);
      const auto narrow = testing::random_elements<BFloat16>(offset + count, 1);
      check_cast<float, BFloat16>(wide, offset);
      check_cast<BFloat16, float>(narrow, offset);
      check_cast<float, float>(wide, offset);
      check_cast<BFloat16, BFloat16>(narrow, offset);
    }
}

TEST(CastCuda, TiesLargeNumbersAndSubnormalOnes) {
  const std::vector<float> numbers = {
      1 + 0x1p-8f, 1 + 0x3p-8f, -1 - 0x1p-8f,   3.4e38f, -3.4e38f, INFINITY, -INFINITY,
      0.0f,        -0.0f,       1 + 0x1.01p-8f, 1e-40f,  -1e-45f,  65504};
  check_cast<float, BFloat16>(numbers, 0);
  check_cast<BFloat16, float>({numbers.begin(), numbers.end()}, 0);
}

TEST(CastCuda, RefusesF64) {
  CudaStream stream(0);
  DeviceArray<double> from(4, 1.0);
  DeviceArray<float> to(4, 0.0f);
  EXPECT_THROW(run(kernels::CastArgs{from.data(), to.data(), 4, DType::kF64, DType::kF32}, stream),
               Error);
}

}  // namespace
}  // namespace lodestone
