// Kernels of barriers, atomics and fences, that are right.
#include "tests/gpu/kernels/block_kernels.h"

#include <gtest/gtest.h>

#include <numeric>
#include <span>
#include <vector>

#include "tests/gpu/device_array.h"

namespace lodestone::testing {
namespace {

using gpu_tests::BlockBug;

std::vector<float> small_numbers(int count) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 7 % 11 - 5));
  return values;
}

float sum_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.f);
}

TEST(BlockKernels, Sums) {
  const std::vector<float> in = small_numbers(5000);
  DeviceArray<float> device_in(in), sum(1, 0.f), last_sum(1, 0.f), partial(1024, 0.f);
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
  const std::vector<float> in = small_numbers(280);
  DeviceArray<float> device_in(in), out(280, 0.f);
  ASSERT_EQ(gpu_tests::centre_rows(BlockBug::kNone, device_in.data(), 7, 40, out.data()),
            cudaSuccess);
  const std::vector<float> found = out.host();
  for (std::size_t begin = 0; begin < in.size(); begin += 40) {
    const auto row = std::span(in).subspan(begin, 40);
    const float mean = std::accumulate(row.begin(), row.end(), 0.f) / 40;
    for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(found[begin + i], row[i] - mean, 1e-5);
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
