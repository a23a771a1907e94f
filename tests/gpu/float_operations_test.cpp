// f32 and f64 arithmetic against the definition of rounding: an exact value, and its neighbours.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/gpu/ptx_program.h"
#include "tests/gpu/scalar_inputs.h"

namespace lodestone::ptx {
namespace {

using lodestone::testing::Pairs;
using lodestone::testing::random_floats;
using lodestone::testing::special_floats;

const std::vector<std::string> kRoundings{"rn", "rz", "rm", "rp"};

bool is_even(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 1) == 0;
}

// The f32 that an exact value is rounded to, by what the mode means.
float round_exact(long double exact, const std::string& mode) {
  float below = static_cast<float>(exact);
  while (below > exact) below = std::nextafter(below, -INFINITY);
  while (std::nextafter(below, INFINITY) <= exact) below = std::nextafter(below, INFINITY);
  if (below == exact) return below;
  const float above = std::nextafter(below, INFINITY);
  if (mode == "rm") return below;
  if (mode == "rp") return above;
  if (mode == "rz") return exact > 0 ? below : above;
  const long double to_below = exact - below, to_above = above - exact;
  if (to_below != to_above) return to_below < to_above ? below : above;
  return is_even(below) ? below : above;
}

void expect_same(float got, float expected, const std::string& what) {
  EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(expected))
      << what << ": " << got << ", expected " << expected;
}

// Sums and products of 24 bits within these exponents are exact in a long double.
TEST(FloatOperations, SumsAndProductsRoundAsTheModeSays) {
  const auto a = random_floats(2000, 24, 15, 1), b = random_floats(2000, 24, 15, 2);
  for (const std::string& mode : kRoundings) {
    const auto sum = run_instruction<float>("add." + mode + ".f32 %d, %a, %b;", a, b);
    const auto difference = run_instruction<float>("sub." + mode + ".f32 %d, %a, %b;", a, b);
    const auto product = run_instruction<float>("mul." + mode + ".f32 %d, %a, %b;", a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const long double x = a[i], y = b[i];
      expect_same(sum[i], round_exact(x + y, mode), "add." + mode);
      expect_same(difference[i], round_exact(x - y, mode), "sub." + mode);
      expect_same(product[i], round_exact(x * y, mode), "mul." + mode);
    }
  }
}

// Factors of 18 bits: their product and a summand of 24 bits are exact together.
TEST(FloatOperations, FusedMultiplyAddRoundsOnce) {
  const auto a = random_floats(2000, 18, 6, 3), b = random_floats(2000, 18, 6, 4);
  const auto c = random_floats(2000, 24, 10, 5);
  for (const std::string& mode : kRoundings) {
    const auto got = run_instruction<float>("fma." + mode + ".f32 %d, %a, %b, %c;", a, b, c);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const long double exact = static_cast<long double>(a[i]) * b[i] + c[i];
      expect_same(got[i], round_exact(exact, mode), "fma." + mode);
    }
  }
}

// A quotient q of a and b is below the exact one where q b < a: checked without dividing.
TEST(FloatOperations, QuotientsAndRootsLieBetweenTheirNeighbours) {
  const auto a = random_floats(2000, 24, 15, 6);
  auto b = random_floats(2000, 24, 15, 7);
  for (float& value : b) value = std::fabs(value);
  const auto down = run_instruction<float>("div.rm.f32 %d, %a, %b;", a, b);
  const auto up = run_instruction<float>("div.rp.f32 %d, %a, %b;", a, b);
  const auto near = run_instruction<float>("div.rn.f32 %d, %a, %b;", a, b);
  const auto root_down = run_instruction<float>("sqrt.rm.f32 %d, %a;", b);
  const auto root_up = run_instruction<float>("sqrt.rp.f32 %d, %a;", b);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double x = a[i], y = b[i];
    EXPECT_LE(down[i] * y, x);
    EXPECT_GE(up[i] * y, x);
    EXPECT_LE(up[i], std::nextafter(down[i], INFINITY));
    const long double below = x - down[i] * y, above = up[i] * y - x;
    expect_same(near[i], below < above || (below == above && is_even(down[i])) ? down[i] : up[i],
                "div.rn");
    EXPECT_LE(static_cast<long double>(root_down[i]) * root_down[i], y);
    EXPECT_GE(static_cast<long double>(root_up[i]) * root_up[i], y);
    EXPECT_LE(root_up[i], std::nextafter(root_down[i], INFINITY));
  }
}

TEST(FloatOperations, F64RoundsAsTheModeSays) {
  const std::vector<double> a{1.0, -1.0, 1.0, 0x1p-30}, b{0x1p-80, 0x1p-80, 3.0, -0x1p60};
  const auto up = run_instruction<double>("add.rp.f64 %d, %a, %b;", a, b);
  const auto down = run_instruction<double>("add.rm.f64 %d, %a, %b;", a, b);
  const auto zero = run_instruction<double>("add.rz.f64 %d, %a, %b;", a, b);
  EXPECT_EQ(up, (std::vector<double>{1 + 0x1p-52, -1 + 0x1p-53, 4, -0x1p60 + 128}));
  EXPECT_EQ(down, (std::vector<double>{1, -1, 4, -0x1p60}));
  EXPECT_EQ(zero, (std::vector<double>{1, -1 + 0x1p-53, 4, -0x1p60 + 128}));
  const auto third = run_instruction<double>("div.rn.f64 %d, %a, %b;", a, b);
  EXPECT_EQ(third[2], 1.0 / 3.0);
}

TEST(FloatOperations, SubnormalNumbersAreFlushedOnlyWithFtz) {
  const std::vector<float> a{0x1p-130f, -0x1p-130f, 0x1p-100f, 0x1p-126f};
  const std::vector<float> b{1.0f, 1.0f, 0x1p-40f, 0.5f};
  EXPECT_EQ(run_instruction<float>("mul.f32 %d, %a, %b;", a, b),
            (std::vector<float>{0x1p-130f, -0x1p-130f, 0x1p-140f, 0x1p-127f}));
  const auto flushed = run_instruction<float>("mul.ftz.f32 %d, %a, %b;", a, b);
  const std::vector<float> zeros{0.0f, -0.0f, 0.0f, 0.0f};
  for (std::size_t i = 0; i < a.size(); ++i) expect_same(flushed[i], zeros[i], "mul.ftz");
}

TEST(FloatOperations, SaturationClampsToOneAndNanToZero) {
  const auto a = special_floats();
  const auto got = run_instruction<float>("add.sat.f32 %d, %a, 0f00000000;", a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float expected = std::isnan(a[i]) || a[i] <= 0 ? 0.0f : std::fmin(a[i], 1.0f);
    expect_same(got[i], expected, "add.sat");
  }
}

TEST(FloatOperations, ResultsThatAreNoNumberAreTheOneNan) {
  const std::vector<float> a{INFINITY, 0.0f, std::bit_cast<float>(0x7f812345u)};
  const std::vector<float> b{-INFINITY, INFINITY, 1.0f};
  const auto sum = run_instruction<std::uint32_t>("add.f32 %d, %a, %b;", a, b);
  const auto product = run_instruction<std::uint32_t>("mul.f32 %d, %a, %b;", a, b);
  EXPECT_EQ(sum[0], 0x7fffffffu);
  EXPECT_EQ(sum[2], 0x7fffffffu);
  EXPECT_EQ(product[1], 0x7fffffffu);
}

float expected_minimum(float a, float b, bool nan_wins) {
  if (std::isnan(a) || std::isnan(b)) {
    if (nan_wins || (std::isnan(a) && std::isnan(b))) return std::bit_cast<float>(0x7fffffffu);
    return std::isnan(a) ? b : a;
  }
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

TEST(FloatOperations, MinimumOfNumbersZerosAndNan) {
  const Pairs<float> pairs(special_floats());
  const auto plain = run_instruction<float>("min.f32 %d, %a, %b;", pairs.first, pairs.second);
  const auto nan = run_instruction<float>("min.NaN.f32 %d, %a, %b;", pairs.first, pairs.second);
  const auto largest = run_instruction<float>("max.f32 %d, %a, %b;", pairs.first, pairs.second);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const float a = pairs.first[i], b = pairs.second[i];
    expect_same(plain[i], expected_minimum(a, b, false), "min");
    expect_same(nan[i], expected_minimum(a, b, true), "min.NaN");
    const float opposite = expected_minimum(-a, -b, false);
    expect_same(largest[i], std::isnan(opposite) ? opposite : -opposite, "max");
  }
}

TEST(FloatOperations, SignsAreBits) {
  const auto a = special_floats();
  const auto negated = run_instruction<std::uint32_t>("neg.f32 %d, %a;", a);
  const auto magnitude = run_instruction<std::uint32_t>("abs.f32 %d, %a;", a);
  const auto copied = run_instruction<float>("copysign.f32 %d, %a, 0f40400000;", a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(a[i]);
    EXPECT_EQ(negated[i], bits ^ 0x80000000);
    EXPECT_EQ(magnitude[i], bits & 0x7fffffff);
    EXPECT_EQ(copied[i], (bits >> 31) != 0 ? -3.0f : 3.0f);
  }
}

// Within the errors that the PTX manual states.
TEST(FloatOperations, ApproximationsAreWithinTheirErrors) {
  const auto a = random_floats(2000, 24, 3, 8);
  const auto power = run_instruction<float>("ex2.approx.f32 %d, %a;", a);
  const auto tangent = run_instruction<float>("tanh.approx.f32 %d, %a;", a);
  const auto root = run_instruction<float>("abs.f32 %d, %a; rsqrt.approx.f32 %d, %d;", a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    EXPECT_NEAR(power[i] / std::exp2(x), 1, 0x1p-22);
    EXPECT_NEAR(tangent[i] / std::tanh(x), 1, 0x1p-10);
    EXPECT_NEAR(root[i] * std::sqrt(std::fabs(x)), 1, 0x1p-22);
  }
}

}  // namespace
}  // namespace lodestone::ptx
