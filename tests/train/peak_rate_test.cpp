// What MFU is a share of: published by the card's name, or measured.
#include "train/peak_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/test_device.h"

namespace lodestone {
namespace {

using ::testing::StartsWith;

TEST(PeakRate, IsPublishedByTheNameOfTheCard) {
  EXPECT_EQ(published_peak("NVIDIA H100 80GB HBM3"), 989.4e12);
  EXPECT_EQ(published_peak("NVIDIA H100 PCIe"), 756.5e12);
  EXPECT_EQ(published_peak("NVIDIA H200"), 989.4e12);
  EXPECT_EQ(published_peak("NVIDIA H200 NVL"), 835.5e12);
  EXPECT_EQ(published_peak("NVIDIA A100-SXM4-80GB"), 312e12);
  EXPECT_EQ(published_peak("NVIDIA GeForce RTX 4090"), 0);
  EXPECT_EQ(published_peak(""), 0);
}

TEST(PeakRate, OfTheCpuIsMeasured) {
  const PeakRate peak = peak_rate(Device::cpu(), DType::kF32);
  EXPECT_GT(peak.flops, 1e8);
  EXPECT_LT(peak.flops, 1e15);
  EXPECT_THAT(peak.origin, StartsWith("measured now with products of 768 x 768"));
}

TEST(PeakRate, OfProductsOfADevice) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    const double rate = product_rate(testing::test_device(), dtype, 64);
    EXPECT_GT(rate, 1e5);
    EXPECT_LT(rate, 1e16);
  }
}

}  // namespace
}  // namespace lodestone
