// Kernels of barriers, atomics and fences, that are right.
#include "tests/gpu/kernels/block_kernels.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/gpu/device_array.h"

namespace lodestone::testing {
namespace {

using gpu_tests::BlockBug;

std::vector<float> small_numbers(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 7 % 11 - 5));
  return values;
}

float sum_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.f);
}

TEST(BlockKernels, Sums) {
  const std::vector<float> in = small_numbers(5000);
  DeviceArray<float> device_in(in), sum(1, 0.f), last_sum(1, 0.f), partial(4 * 256, 0.f);
  DeviceArray<unsigned> ticket(1, 0u);
  ASSERT_EQ(gpu_tests::block_sum(BlockBug::kNone, device_in.data(), 5000, 3, sum.data()),
            cudaSuccess);
  EXPECT_EQ(sum.host()[0], sum_of(in));
  ASSERT_EQ(gpu_tests::last_block_sum(BlockBug::kNone, device_in.data(), 5000, 4, partial.data(),
                                      ticket.data(), last_sum.data()),
            cudaSuccess);
  EXPECT_EQ(last_sum.host()[0], sum_of(in));
}

TEST(BlockKernels, SumOfAWarp) {
  const std::vector<float> in = small_numbers(32);
  DeviceArray<float> device_in(in), sum(1, 0.f);
  ASSERT_EQ(gpu_tests::warp_sum(BlockBug::kNone, device_in.data(), sum.data()), cudaSuccess);
  EXPECT_EQ(sum.host()[0], sum_of(in));
}

TEST(BlockKernels, Histogram) {
  std::vector<unsigned char> bytes;
  std::vector<unsigned> expected(256);
  for (unsigned i = 0; i < 3000; ++i) {
    bytes.push_back(static_cast<unsigned char>(i * i % 251));
    ++expected[bytes.back()];
  }
  DeviceArray<unsigned char> device_bytes(bytes);
  DeviceArray<unsigned> counts(256, 0u);
  ASSERT_EQ(gpu_tests::histogram(BlockBug::kNone, device_bytes.data(), 3000, 2, counts.data()),
            cudaSuccess);
  EXPECT_EQ(counts.host(), expected);
}

TEST(BlockKernels, CentredRows) {
  const std::vector<float> in = small_numbers(7 * 40);
  DeviceArray<float> device_in(in), out(7 * 40, 0.f);
  ASSERT_EQ(gpu_tests::centre_rows(BlockBug::kNone, device_in.data(), 7, 40, out.data()),
            cudaSuccess);
  const std::vector<float> found = out.host();
  for (int row = 0; row < 7; ++row) {
    const float mean = std::accumulate(in.begin() + row * 40, in.begin() + row * 40 + 40, 0.f) / 40;
    for (int i = row * 40; i < row * 40 + 40; ++i)
      EXPECT_NEAR(found[static_cast<std::size_t>(i)], in[static_cast<std::size_t>(i)] - mean, 1e-5);
  }
}

TEST(BlockKernels, NamedBarriers) {
  const std::vector<float> in = small_numbers(64);
  DeviceArray<float> device_in(in), out(64, 0.f);
  ASSERT_EQ(gpu_tests::named_barriers(true, device_in.data(), out.data()), cudaSuccess);
  const std::vector<float> found = out.host();
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(found[i], in[(i + 1) % 64]);
}

}  // namespace
}  // namespace lodestone::testing
