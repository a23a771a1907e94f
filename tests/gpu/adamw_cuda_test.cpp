// The CUDA AdamW and gradient norm against the CPU's, whose own tests check them against f64.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/adamw.h"
#include "kernels/gradient_norm.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray;
using testing::random_elements;
using testing::relative_error;
using testing::same_bits;

// Pieces alone, shorter than a block, longer, and uneven at the end; none.
const std::vector<std::vector<std::int64_t>> kOffsets = {
    {0, 1}, {0, 4, 68, 75}, {0, 2048, 2112, 6501}, {0, 1024}, {0}};

struct Norm {
  std::vector<double> squares, norm;
};

Norm norm_on_cpu(const std::vector<float>& gradients, const std::vector<std::int64_t>& offsets) {
  Norm result{std::vector<double>(offsets.size() - 1), std::vector<double>(1)};
  run(kernels::GradientNormArgs{gradients.data(), offsets.data(), result.squares.data(),
                                result.norm.data(), std::ssize(offsets) - 1},
      cpu_stream());
  return result;
}

Norm norm_on_cuda(const std::vector<float>& gradients, const std::vector<std::int64_t>& offsets) {
  CudaStream stream(0);
  DeviceArray<float> there(gradients);
  DeviceArray<std::int64_t> offsets_there(offsets);
  DeviceArray<double> squares(std::ssize(offsets) - 1, NAN), norm(1, NAN);
  run(kernels::GradientNormArgs{there.data(), offsets_there.data(), squares.data(), norm.data(),
                                std::ssize(offsets) - 1},
      stream);
  return {squares.host(), norm.host()};
}

TEST(GradientNormCuda, IsTheCpusAndTheSameTwice) {
  for (const auto& offsets : kOffsets) {
    const auto gradients = random_elements<float>(offsets.back(), 1);
    const Norm expected = norm_on_cpu(gradients, offsets);
    const Norm got = norm_on_cuda(gradients, offsets), again = norm_on_cuda(gradients, offsets);
    EXPECT_NEAR(got.norm[0], expected.norm[0], 1e-14 * expected.norm[0]);
    for (std::size_t i = 0; i < got.squares.size(); ++i)
      EXPECT_NEAR(got.squares[i], expected.squares[i], 1e-14 * expected.squares[i]);
    EXPECT_EQ(got.squares, again.squares);
    EXPECT_EQ(got.norm, again.norm);
  }
}

TEST(GradientNormCuda, TellsThePieceThatIsNotFinite) {
  const std::vector<std::int64_t> offsets = {0, 512, 1024, 1101};
  for (const float bad : {INFINITY, NAN}) {
    auto gradients = random_elements<float>(offsets.back(), 1);
    gradients[1100] = bad;
    const Norm got = norm_on_cuda(gradients, offsets);
    EXPECT_TRUE(std::isfinite(got.squares[0]) && std::isfinite(got.squares[1]));
    EXPECT_FALSE(std::isfinite(got.squares[2]));
    EXPECT_FALSE(std::isfinite(got.norm[0]));
  }
}

// What an update reads and writes.
struct State {
  std::vector<float> gradients, masters, first, second;
  std::vector<BFloat16> values;
};

State state_of(std::int64_t n) {
  State state{random_elements<float>(n, 1), random_elements<float>(n, 2),
              random_elements<float>(n, 3), random_elements<float>(n, 4),
              std::vector<BFloat16>(static_cast<std::size_t>(n), BFloat16(NAN))};
  for (float& second : state.second) second = std::abs(second);
  return state;
}

std::vector<std::uint8_t> decays_of(const std::vector<std::int64_t>& offsets) {
  std::vector<std::uint8_t> decays;
  for (std::size_t piece = 0; piece + 1 < offsets.size(); ++piece) decays.push_back(piece % 2 == 0);
  return decays;
}

constexpr kernels::AdamWFactors kFactors{.max_norm = 1,
                                         .keep = 0.99f,
                                         .beta1 = 0.9f,
                                         .add1 = 0.1f,
                                         .beta2 = 0.999f,
                                         .add2 = 0.001f,
                                         .rate = 0.05f,
                                         .root_correction = 20,
                                         .eps = 1e-8f};

State updated_on_cpu(State state, const std::vector<std::int64_t>& offsets, bool rounded,
                     double norm) {
  const auto decays = decays_of(offsets);
  run(kernels::AdamWArgs{state.gradients.data(), state.masters.data(), state.first.data(),
                         state.second.data(), rounded ? state.values.data() : nullptr,
                         offsets.data(), decays.data(), &norm, std::ssize(decays), kFactors},
      cpu_stream());
  return state;
}

State updated_on_cuda(const State& state, const std::vector<std::int64_t>& offsets, bool rounded,
                      double norm) {
  CudaStream stream(0);
  DeviceArray<float> gradients(state.gradients), masters(state.masters), first(state.first),
      second(state.second);
  DeviceArray<BFloat16> values(state.values);
  DeviceArray<std::int64_t> offsets_there(offsets);
  DeviceArray<std::uint8_t> decays(decays_of(offsets));
  DeviceArray<double> norm_there(1, norm);
  run(kernels::AdamWArgs{gradients.data(), masters.data(), first.data(), second.data(),
                         rounded ? values.data() : nullptr, offsets_there.data(), decays.data(),
                         norm_there.data(), std::ssize(offsets) - 1, kFactors},
      stream);
  return {gradients.host(), masters.host(), first.host(), second.host(), values.host()};
}

// Every operation rounds once on both sides, but for products and sums that one contracts.
constexpr double kTolerance = 3e-7;

TEST(AdamWCuda, UpdateIsTheCpus) {
  for (const auto& offsets : kOffsets)
    for (const bool rounded : {false, true})
      for (const double norm : {0.5, 40.0}) {
        const State start = state_of(offsets.back());
        const State expected = updated_on_cpu(start, offsets, rounded, norm);
        const State got = updated_on_cuda(start, offsets, rounded, norm);
        EXPECT_LE(relative_error(got.masters, expected.masters), kTolerance) << offsets.back();
        EXPECT_LE(relative_error(got.first, expected.first), kTolerance);
        EXPECT_LE(relative_error(got.second, expected.second), kTolerance);
        EXPECT_TRUE(same_bits(got.gradients, std::vector<float>(got.gradients.size(), 0)));
        std::vector<BFloat16> values = start.values;
        if (rounded)
          std::transform(got.masters.begin(), got.masters.end(), values.begin(),
                         [](float master) { return BFloat16(master); });
        EXPECT_TRUE(same_bits(got.values, values));
      }
}

TEST(AdamWCuda, WritesNothingWhenTheNormIsNotFinite) {
  const std::vector<std::int64_t> offsets = {0, 2048, 2055};
  const State start = state_of(offsets.back());
  for (const double norm : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    const State got = updated_on_cuda(start, offsets, true, norm);
    EXPECT_TRUE(same_bits(got.gradients, start.gradients));
    EXPECT_TRUE(same_bits(got.masters, start.masters));
    EXPECT_TRUE(same_bits(got.first, start.first));
    EXPECT_TRUE(same_bits(got.second, start.second));
    EXPECT_TRUE(same_bits(got.values, start.values));
  }
}

}  // namespace
}  // namespace lodestone
