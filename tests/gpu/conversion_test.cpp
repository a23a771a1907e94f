// Conversions against formulas of the formats and against the nearest of their numbers.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "tests/gpu/ptx_program.h"
#include "tests/gpu/scalar_inputs.h"

namespace lodestone::ptx {
namespace {

using lodestone::testing::integers;
using lodestone::testing::random_floats;

// What the bits of a format with that many exponent and mantissa bits mean.
double meaning(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = static_cast<int>(bits & ((1u << mantissa_bits) - 1));
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const bool negative = (bits >> (exponent_bits + mantissa_bits) & 1) != 0;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  return negative ? -magnitude : magnitude;
}

std::vector<std::uint16_t> all_16_bits() {
  std::vector<std::uint16_t> values(65536);
  std::iota(values.begin(), values.end(), std::uint16_t{0});
  return values;
}

void expect_widened(const std::string& type, int exponent_bits, int mantissa_bits) {
  const auto bits = all_16_bits();
  const auto got = run_instruction<float>("cvt.f32." + type + " %d, %a;", bits);
  const std::uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const std::uint32_t magnitude = bits[i] & 0x7fffu;
    if (magnitude > infinity) {
      EXPECT_TRUE(std::isnan(got[i]));
    } else if (magnitude == infinity) {
      EXPECT_EQ(got[i], bits[i] > 0x7fff ? -INFINITY : INFINITY);
    } else {
      ASSERT_EQ(got[i], static_cast<float>(meaning(bits[i], exponent_bits, mantissa_bits))) << i;
      ASSERT_EQ(std::signbit(got[i]), bits[i] > 0x7fff) << i;
    }
  }
}

TEST(Conversion, EveryHalfIsWidenedExactly) {
  expect_widened("f16", 5, 10);
  expect_widened("bf16", 8, 7);
}

// Every number of the format comes back; the middle between two goes to the even one, what is just
// off the middle to the nearer one.
void expect_narrowed(const std::string& type, int exponent_bits, int mantissa_bits) {
  const std::uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
  std::vector<float> values, expected;
  const auto value = [&](std::uint32_t bits) {
    return static_cast<float>(meaning(bits, exponent_bits, mantissa_bits));
  };
  for (std::uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const float low = value(bits), high = value(bits + 1);
    const float middle = low + (high - low) / 2;
    values.insert(values.end(),
                  {low, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)});
    expected.insert(expected.end(), {low, bits % 2 == 0 ? low : high, low, high});
  }
  const auto got = run_instruction<std::uint16_t>("cvt.rn." + type + ".f32 %d, %a;", values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(value(got[i]), expected[i]) << type << " of " << values[i];
  }
}

TEST(Conversion, HalvesRoundToNearestEven) {
  expect_narrowed("f16", 5, 10);
}

TEST(Conversion, Bf16RoundsToNearestEven) {
  const auto a = random_floats(4000, 24, 100, 1);
  const auto got = run_instruction<std::uint16_t>("cvt.rn.bf16.f32 %d, %a;", a);
  const auto down = run_instruction<std::uint16_t>("cvt.rz.bf16.f32 %d, %a;", a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(a[i]);
    const std::uint32_t low = bits >> 16, rest = bits & 0xffff;
    const bool up = rest > 0x8000 || (rest == 0x8000 && (low & 1) != 0);
    EXPECT_EQ(got[i], low + (up ? 1 : 0));
    EXPECT_EQ(down[i], low);
  }
}

TEST(Conversion, PairsPutTheFirstOperandOnTop) {
  const std::vector<float> a{1.0f, INFINITY}, b{-2.0f, NAN};
  EXPECT_EQ(run_instruction<std::uint32_t>("cvt.rn.bf16x2.f32 %d, %a, %b;", a, b),
            (std::vector<std::uint32_t>{0x3f80c000, 0x7f807fff}));
  EXPECT_EQ(run_instruction<std::uint32_t>("cvt.rn.f16x2.f32 %d, %a, %b;", a, b),
            (std::vector<std::uint32_t>{0x3c00c000, 0x7c007fff}));
  EXPECT_EQ(run_instruction<std::uint32_t>("cvt.rn.relu.bf16x2.f32 %d, %a, %b;", a, b)[0],
            0x3f800000u);
}

std::vector<double> fp8_values(const std::string& type) {
  std::vector<double> values;
  const bool is_e4m3 = type == "e4m3";
  const std::uint32_t largest = is_e4m3 ? 0x7e : 0x7b;
  for (std::uint32_t bits = 0; bits <= largest; ++bits) {
    values.push_back(is_e4m3 ? meaning(bits, 4, 3) : meaning(bits, 5, 2));
  }
  return values;
}

TEST(Conversion, Fp8ToHalvesIsExact) {
  for (const std::string type : {"e4m3", "e5m2"}) {
    const std::vector<double> values = fp8_values(type);
    std::vector<std::uint16_t> pairs;
    for (std::size_t bits = 0; bits < values.size(); ++bits) {
      pairs.push_back(static_cast<std::uint16_t>(bits << 8 | 0x80 | bits));
    }
    const auto got = run_instruction<std::uint32_t>("cvt.rn.f16x2." + type + "x2 %d, %a;", pairs);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(meaning(got[i] >> 16, 5, 10), values[i]);
      EXPECT_EQ(meaning(got[i] & 0xffff, 5, 10), -values[i]);
    }
  }
}

TEST(Conversion, Fp8RoundsToTheNearestAndSaturates) {
  for (const std::string type : {"e4m3", "e5m2"}) {
    const std::vector<double> values = fp8_values(type);
    std::vector<float> a;
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i + 1 < values.size(); ++i) {
      const auto middle = static_cast<float>((values[i] + values[i + 1]) / 2);
      a.insert(a.end(), {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)});
      expected.insert(expected.end(), {i % 2 == 0 ? i : i + 1, i, i + 1});
    }
    const auto largest = static_cast<std::uint32_t>(values.size() - 1);
    a.insert(a.end(), {1e9f, INFINITY, NAN});
    expected.insert(expected.end(), {largest, largest, 0x7f});
    const auto got = run_instruction<std::uint16_t>(
        "cvt.rn.satfinite." + type + "x2.f32 %d, %a, 0f00000000;", a);
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(got[i], expected[i] << 8) << a[i];
  }
}

TEST(Conversion, Tf32KeepsTenBitsOfMantissa) {
  const std::vector<float> a{1.0f, std::bit_cast<float>(0x3f801000u),
                             std::bit_cast<float>(0x3f800fffu), std::bit_cast<float>(0xbf803000u)};
  EXPECT_EQ(run_instruction<std::uint32_t>("cvt.rna.tf32.f32 %d, %a;", a),
            (std::vector<std::uint32_t>{0x3f800000, 0x3f802000, 0x3f800000, 0xbf804000}));
  EXPECT_EQ(run_instruction<std::uint32_t>("cvt.rn.tf32.f32 %d, %a;", a)[1], 0x3f800000u);
}

TEST(Conversion, NumbersToIntegersClampAndNanIsZero) {
  const std::vector<float> a{2.5f, 3.5f, -2.5f, 1e10f, -1e10f, NAN, -0.75f};
  const auto convert = [&](const std::string& opcode) {
    return run_instruction<std::int32_t>(opcode + " %d, %a;", a);
  };
  EXPECT_EQ(convert("cvt.rni.s32.f32"),
            (std::vector<std::int32_t>{2, 4, -2, INT32_MAX, INT32_MIN, 0, -1}));
  EXPECT_EQ(convert("cvt.rzi.s32.f32"),
            (std::vector<std::int32_t>{2, 3, -2, INT32_MAX, INT32_MIN, 0, 0}));
  EXPECT_EQ(convert("cvt.rmi.s32.f32"),
            (std::vector<std::int32_t>{2, 3, -3, INT32_MAX, INT32_MIN, 0, -1}));
  EXPECT_EQ(convert("cvt.rpi.s32.f32"),
            (std::vector<std::int32_t>{3, 4, -2, INT32_MAX, INT32_MIN, 0, 0}));
  EXPECT_EQ(convert("cvt.rzi.u32.f32"), (std::vector<std::int32_t>{2, 3, 0, -1, 0, 0, 0}));
  EXPECT_EQ(convert("cvt.rni.u8.f32"), (std::vector<std::int32_t>{2, 4, 0, 255, 0, 0, 0}));
  EXPECT_EQ(convert("cvt.rni.s8.f32"), (std::vector<std::int32_t>{2, 4, -2, 127, -128, 0, -1}));
  // With 64 bits on either side, NaN has only the top bit.
  EXPECT_EQ(run_instruction<std::int64_t>("cvt.rzi.s64.f32 %d, %a;", a)[5], INT64_MIN);
  EXPECT_EQ(run_instruction<std::int32_t>("cvt.rzi.s32.f64 %d, %a;", std::vector<double>{NAN})[0],
            INT32_MIN);
}

TEST(Conversion, IntegersToNumbersRoundAsTheModeSays) {
  const std::vector<std::int64_t> a{16'777'217, -16'777'217, INT64_MAX, 0x7fffffbfffffffff};
  EXPECT_EQ(run_instruction<float>("cvt.rn.f32.s64 %d, %a;", a),
            (std::vector<float>{16'777'216, -16'777'216, 0x1p63f, 0x1.fffffep62f}));
  EXPECT_EQ(run_instruction<float>("cvt.rp.f32.s64 %d, %a;", a),
            (std::vector<float>{16'777'218, -16'777'216, 0x1p63f, 0x1p63f}));
  EXPECT_EQ(run_instruction<float>("cvt.rz.f32.s64 %d, %a;", a),
            (std::vector<float>{16'777'216, -16'777'216, 0x1.fffffep62f, 0x1.fffffep62f}));
}

TEST(Conversion, F64ToF32RoundsAsTheModeSays) {
  const std::vector<double> a{1 + 0x1p-24, 1 + 0x1p-30, -1 - 0x1p-30, 1e300, -1e300};
  EXPECT_EQ(run_instruction<float>("cvt.rn.f32.f64 %d, %a;", a),
            (std::vector<float>{1, 1, -1, INFINITY, -INFINITY}));
  EXPECT_EQ(run_instruction<float>("cvt.rp.f32.f64 %d, %a;", a),
            (std::vector<float>{1 + 0x1p-23f, 1 + 0x1p-23f, -1, INFINITY, -0x1.fffffep127f}));
  EXPECT_EQ(run_instruction<float>("cvt.rz.f32.f64 %d, %a;", a)[3], 0x1.fffffep127f);
}

TEST(Conversion, RoundingToIntegralNumbersKeepsTheSignOfZero) {
  const std::vector<float> a{2.5f, -0.25f, -2.5f, 1e30f};
  EXPECT_EQ(run_instruction<float>("cvt.rni.f32.f32 %d, %a;", a),
            (std::vector<float>{2, -0.0f, -2, 1e30f}));
  EXPECT_TRUE(std::signbit(run_instruction<float>("cvt.rni.f32.f32 %d, %a;", a)[1]));
  EXPECT_EQ(run_instruction<float>("cvt.rmi.f32.f32 %d, %a;", a),
            (std::vector<float>{2, -1, -3, 1e30f}));
  EXPECT_EQ(run_instruction<float>("cvt.sat.f32.f32 %d, %a;", a), (std::vector<float>{1, 0, 0, 1}));
}

TEST(Conversion, IntegersAreCutAndExtended) {
  const auto a = integers<std::int64_t>(50, 2);
  const auto low = run_instruction<std::int32_t>("cvt.s32.s64 %d, %a;", a);
  const auto byte = run_instruction<std::int32_t>("cvt.s8.s64 %d, %a;", a);
  const auto clamped = run_instruction<std::int32_t>("cvt.sat.s8.s64 %d, %a;", a);
  const auto wide = run_instruction<std::uint64_t>("cvt.u64.u16 %d, %t; cvt.u64.u32 %d, %a;",
                                                   std::vector<std::uint32_t>{0x80000001});
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(low[i], static_cast<std::int32_t>(a[i]));
    EXPECT_EQ(byte[i], static_cast<std::int8_t>(a[i]));
    EXPECT_EQ(clamped[i], std::clamp<std::int64_t>(a[i], -128, 127));
  }
  EXPECT_EQ(wide[0], 0x80000001u);
}

}  // namespace
}  // namespace lodestone::ptx
