#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/gpu/conformance/arithmetic.h"
#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

constexpr Mode kNear{}, kZero{Rounding::kTowardsZero};

std::uint16_t short_bits(std::uint64_t bits) {
  return static_cast<std::uint16_t>(bits);
}

float f32(std::uint64_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

// The first operand goes to the upper half.
std::uint32_t pair_of(const Format& format, Mode mode, float a, float b) {
  return static_cast<std::uint32_t>(rounded(format, mode, a) << 16 | rounded(format, mode, b));
}

// .satfinite: the largest number in place of an infinity. The NaN of 8 bits is positive.
std::uint64_t byte_of(const Format& format, float a) {
  if (std::isnan(a)) return 0x7f;
  const std::uint64_t bits = rounded(format, kNear, a);
  return (bits & 0x80) | std::min(bits & 0x7f, format.largest);
}

std::uint16_t bytes_of(const Format& format, float a, float b) {
  return short_bits(byte_of(format, a) << 8 | byte_of(format, b));
}

std::uint32_t halves_of_bytes(const Format& format, std::uint16_t a) {
  const std::uint64_t high = rounded(kF16, kNear, number_of(format, a >> 8));
  return static_cast<std::uint32_t>(high << 16 | rounded(kF16, kNear, number_of(format, a & 0xff)));
}

template <class T>
T whole(double value) {
  if (std::isnan(value)) return 0;
  using Limits = std::numeric_limits<T>;
  return static_cast<T>(std::clamp<double>(value, Limits::min(), Limits::max()));
}

// To the nearest whole number; from the middle to the even one.
double nearest_whole(double value) {
  const double below = std::floor(value), rest = value - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1;
  return std::fmod(below, 2) == 0 ? below : below + 1;
}

// The upper 19 bits of an f32; a NaN is that of f32.
std::uint32_t tensor_float(float a) {
  if (std::isnan(a)) return kCanonicalNan;
  return static_cast<std::uint32_t>(rounded(kTf32, {Rounding::kNearestAway}, a) << 13);
}

// What was negative is +0; whether -0 is negative the manual does not say.
Outcome rectified(float a) {
  constexpr Mode kRelu{.rounding = Rounding::kTowardsZero, .is_rectified = true};
  if (a == 0) return Outcome::either(0, std::signbit(a) ? 0x8000 : 0);
  return Outcome::exactly(short_bits(rounded(kBf16, kRelu, a)));
}

Outcome widened(std::uint16_t a) {
  const long double value = number_of(kF16, a);
  if (std::isnan(value)) return Outcome::not_a_number();
  return Outcome::exactly(static_cast<std::uint32_t>(rounded(kF32, kNear, value)));
}

}  // namespace

std::vector<Definition> conversion_definitions() {
  using enum Operand;
  const std::vector<Operand> one{kFloat}, two{kFloat, kFloat};
  return {
      of_each_lane(
          "cvt.rn.f16.f32", one, +[](float a) { return short_bits(rounded(kF16, kNear, a)); }),
      of_each_lane(
          "cvt.rz.f16x2.f32", two, +[](float a, float b) { return pair_of(kF16, kZero, a, b); }),
      of_each_lane(
          "cvt.rn.bf16x2.f32", two, +[](float a, float b) { return pair_of(kBf16, kNear, a, b); }),
      of_each_lane("cvt.rz.relu.bf16.f32", one, &rectified),
      of_each_lane("cvt.rna.tf32.f32", one, &tensor_float),
      of_each_lane(
          "cvt.rn.satfinite.e4m3x2.f32", two,
          +[](float a, float b) { return bytes_of(kE4m3, a, b); }),
      of_each_lane(
          "cvt.rn.satfinite.e5m2x2.f32", two,
          +[](float a, float b) { return bytes_of(kE5m2, a, b); }),
      of_each_lane(
          "cvt.rn.f16x2.e4m3x2", {kHalf},
          +[](std::uint16_t a) { return halves_of_bytes(kE4m3, a); }),
      of_each_lane(
          "cvt.rn.f16x2.e5m2x2", {kHalf},
          +[](std::uint16_t a) { return halves_of_bytes(kE5m2, a); }),
      of_each_lane("cvt.f32.f16", {kHalf}, &widened),
      of_each_lane(
          "cvt.rni.s32.f32", one, +[](float a) { return whole<int>(nearest_whole(a)); }),
      of_each_lane(
          "cvt.rzi.u32.f32", one, +[](float a) { return whole<std::uint32_t>(std::trunc(a)); }),
      of_each_lane(
          "cvt.rmi.f32.f32", one,
          +[](float a) { return f32(rounded(kF32, kNear, std::floor(a))); }),
      of_each_lane(
          "cvt.rn.f32.s32", {kWord}, +[](int a) { return f32(rounded(kF32, kNear, a)); }),
      of_each_lane(
          "cvt.rp.f32.u64", {kLong},
          +[](std::uint64_t a) {
            return f32(rounded(kF32, {Rounding::kUp}, static_cast<long double>(a)));
          }),
      of_each_lane(
          "cvt.rm.f32.f64", {kDouble},
          +[](double a) { return f32(rounded(kF32, {Rounding::kDown}, a)); }),
      of_each_lane(
          "cvt.sat.s8.s32", {kWord}, +[](int a) { return std::clamp(a, -128, 127); }),
  };
}

}  // namespace lodestone::gpu_tests
