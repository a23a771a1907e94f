// Everyday kernels on the device against the same computed in f64 on the host.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "tests/gpu/device_array.h"
#include "tests/gpu/kernels/everyday.h"

namespace lodestone::testing {
namespace {

std::vector<float> random_floats(std::size_t count, float scale, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

float bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
}

double activation(double x) {
  const double gelu = 0.5 * x * (1 + std::tanh(0.79788456 * (x + 0.044715 * x * x * x)));
  return gelu + std::erf(x) + std::exp(x) + std::log(std::fabs(x) + 1) +
         std::pow(std::fabs(x), 0.3);
}

TEST(EverydayKernels, ActivationsOfTheMathematicalLibrary) {
  const std::vector<float> x = random_floats(1000, 2, 1);
  DeviceArray<float> from(x), to(1000, 0.0f);
  run_activations(to.data(), from.data(), 1000);
  const std::vector<float> y = to.host();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = activation(x[i]);
    EXPECT_NEAR(y[i], expected, 4e-6 * (1 + std::fabs(expected))) << "x = " << x[i];
  }
}

// At most `tolerance` off, for the pairs that `wanted` of each position counts.
void check_rotary(int first, int wanted, double tolerance) {
  constexpr int kPositions = 3, kPairs = 16;
  const std::vector<float> x = random_floats(2 * kPositions * kPairs, 1, 2);
  std::vector<__nv_bfloat162> pairs;
  for (std::size_t i = 0; i < x.size(); i += 2) {
    pairs.emplace_back(__float2bfloat16(x[i]), __float2bfloat16(x[i + 1]));
  }
  DeviceArray<__nv_bfloat162> device(pairs);
  run_rotary(device.data(), first, kPositions, kPairs);
  const std::vector<__nv_bfloat162> got = device.host();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const int t = first + static_cast<int>(i) / kPairs, d = static_cast<int>(i) % kPairs;
    if (d >= wanted) continue;
    const double angle = t * std::pow(10000.0, -2.0 * d / kPairs);
    const double a = bf16(x[2 * i]), b = bf16(x[2 * i + 1]);
    const double s = std::sin(angle), c = std::cos(angle);
    EXPECT_NEAR(__bfloat162float(got[i].x), a * c - b * s, tolerance);
    EXPECT_NEAR(__bfloat162float(got[i].y), a * s + b * c, tolerance);
  }
}

TEST(EverydayKernels, RotaryEmbedding) {
  check_rotary(0, 16, 0.01);
}

// Beyond 105,615 sine and cosine reduce their argument with integers in local memory. Only the
// first pair's angle is exact in f32.
TEST(EverydayKernels, RotaryEmbeddingOfLargeAngles) {
  check_rotary(200'000, 1, 0.01);
}

TEST(EverydayKernels, EmbeddingBackwardWithVectorAtomics) {
  constexpr int kColumns = 12, kRows = 3;
  const std::vector<int> tokens{2, 0, 2, 1, 2};
  const std::vector<float> dy = random_floats(tokens.size() * kColumns, 1, 3);
  DeviceArray<int> device_tokens(tokens);
  DeviceArray<float> device_dy(dy), table_f32(kRows * kColumns, 0.0f);
  DeviceArray<__nv_bfloat16> table(kRows * kColumns, __float2bfloat16(0.0f));
  run_embedding_backward(table.data(), table_f32.data(), device_tokens.data(), device_dy.data(),
                         static_cast<int>(tokens.size()), kColumns);
  std::vector<double> expected(kRows * kColumns);
  for (std::size_t i = 0; i < dy.size(); ++i) {
    const auto row = static_cast<std::size_t>(tokens[i / kColumns]);
    expected[row * kColumns + i % kColumns] += dy[i];
  }
  const auto got = table.host();
  const auto got_f32 = table_f32.host();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(got_f32[i], expected[i], 1e-6);
    EXPECT_NEAR(__bfloat162float(got[i]), expected[i], 0.05);
  }
}

TEST(EverydayKernels, FusedCrossEntropy) {
  constexpr int kRows = 4, kColumns = 77;
  const std::vector<float> logits = random_floats(kRows * kColumns, 3, 4);
  const std::vector<int> targets{0, 76, 33, 5};
  DeviceArray<float> x(logits), loss(kRows, 0.0f), gradient(kRows * kColumns, 0.0f);
  DeviceArray<int> device_targets(targets);
  run_cross_entropy(loss.data(), gradient.data(), x.data(), device_targets.data(), kRows, kColumns);
  const auto losses = loss.host();
  const auto gradients = gradient.host();
  for (std::size_t row = 0; row < kRows; ++row) {
    const float* of_row = logits.data() + row * kColumns;
    double sum = 0;
    for (int i = 0; i < kColumns; ++i) sum += std::exp(double{of_row[i]});
    EXPECT_NEAR(losses[row], std::log(sum) - of_row[targets[row]], 1e-5);
    for (int i = 0; i < kColumns; ++i) {
      const double expected = std::exp(double{of_row[i]}) / sum - (i == targets[row] ? 1 : 0);
      EXPECT_NEAR(gradients[row * kColumns + static_cast<std::size_t>(i)], expected, 1e-6);
    }
  }
}

// The published vector of Philox4x32-10 for a key and counter of zeros.
TEST(EverydayKernels, PhiloxOfThePublishedVector) {
  DeviceArray<std::uint32_t> words(100, 0u);
  run_philox(words.data(), 0, 100);
  EXPECT_EQ(words.host()[0], 0x6627e8d5u ^ 0xe169c58du ^ 0xbc57ac4cu ^ 0x9b00dbd8u);
}

TEST(EverydayKernels, GradientNormWhoseLastBlockFinishes) {
  const std::vector<float> x = random_floats(10'001, 1, 5);
  DeviceArray<float> device_x(x);
  DeviceArray<double> norm(1, 0.0);
  DeviceArray<unsigned> finished(1, 0u);
  run_gradient_norm(norm.data(), device_x.data(), static_cast<std::int64_t>(x.size()),
                    finished.data());
  double sum = 0;
  for (const float value : x) sum += double{value} * value;
  EXPECT_NEAR(norm.host()[0], std::sqrt(sum), 1e-9);
  EXPECT_EQ(finished.host()[0], 0u);
}

TEST(EverydayKernels, PrintfAndLocalMemory) {
  std::vector<int> values{5, 11, 12, 13, 14, 15, 16, 17, 18, -1};
  DeviceArray<int> device(values);
  ::testing::internal::CaptureStdout();
  run_local_lookup(device.data());
  const std::vector<int> got = device.host();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "value 5 of local_lookup\n");
  EXPECT_EQ(got[9], 15);
}

TEST(EverydayKernels, Fp8RoundsToNearestEvenAndSaturates) {
  // Steps of 1/8 between 1 and 2; 448 is the largest; 2^-9 the least.
  const std::vector<float> x{1.0625f, 1.1875f, 1.0626f, 500.0f, -1e9f, 0x1p-9f, 0x1p-10f, -0.0f};
  const std::vector<int> bits{0x38, 0x3a, 0x39, 0x7e, 0xfe, 0x01, 0x00, 0x80};
  DeviceArray<float> from(x);
  DeviceArray<__nv_fp8_e4m3> to(static_cast<std::int64_t>(x.size()), __nv_fp8_e4m3());
  run_fp8(to.data(), from.data(), static_cast<int>(x.size()));
  const auto got = to.host();
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(got[i].__x, bits[i]) << "x = " << x[i];
}

}  // namespace
}  // namespace lodestone::testing
