#include <bit>
#include <cmath>

#include "tests/gpu/conformance/arithmetic.h"
#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

constexpr Mode kNear{}, kZero{Rounding::kTowardsZero}, kDown{Rounding::kDown}, kUp{Rounding::kUp};
constexpr Mode kRelu{.is_rectified = true};

constexpr Mode flushing(Mode mode) {
  mode.flushes = true;
  return mode;
}
constexpr Mode saturating(Mode mode) {
  mode.saturates = true;
  return mode;
}

float f32(std::uint64_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

// Of -0 and +0 the first is smaller. A NaN gives way to a number.
float smaller(float a, float b) {
  if (std::isnan(a) && std::isnan(b)) return std::bit_cast<float>(kCanonicalNan);
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  return std::signbit(a) != std::signbit(b) ? (std::signbit(a) ? a : b) : (a < b ? a : b);
}

float larger_or_nan(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::bit_cast<float>(kCanonicalNan);
  return -smaller(-flushed(a), -flushed(b));
}

// The same for both halves of a word.
template <class Function, class... Words>
std::uint32_t halves(Function function, Words... words) {
  const std::uint64_t high = function(static_cast<std::uint16_t>(words >> 16)...);
  const std::uint64_t low = function(static_cast<std::uint16_t>(words)...);
  return static_cast<std::uint32_t>(high << 16 | low);
}

std::uint32_t sum_of_halves(std::uint32_t a, std::uint32_t b) {
  return halves(
      [](std::uint16_t x, std::uint16_t y) {
        return sum(kF16, kNear, number_of(kF16, x), number_of(kF16, y));
      },
      a, b);
}

std::uint32_t product_sum_of_bfloats(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return halves(
      [](std::uint16_t x, std::uint16_t y, std::uint16_t z) {
        return product_sum(kBf16, kRelu, number_of(kBf16, x), number_of(kBf16, y),
                           number_of(kBf16, z));
      },
      a, b, c);
}

}  // namespace

std::vector<Definition> float_definitions() {
  using enum Operand;
  const std::vector<Operand> one{kFloat}, two{kFloat, kFloat}, three{kFloat, kFloat, kFloat};
  const std::vector<Operand> doubles{kDouble, kDouble};
  return {
      of_each_lane(
          "add.rn.f32", two, +[](float a, float b) { return f32(sum(kF32, kNear, a, b)); }),
      of_each_lane(
          "add.rz.ftz.f32", two,
          +[](float a, float b) { return f32(sum(kF32, flushing(kZero), a, b)); }),
      of_each_lane(
          "add.rp.sat.f32", two,
          +[](float a, float b) { return f32(sum(kF32, saturating(kUp), a, b)); }),
      of_each_lane(
          "sub.rm.f32", two, +[](float a, float b) { return f32(sum(kF32, kDown, a, -b)); }),
      of_each_lane(
          "mul.rp.f32", two, +[](float a, float b) { return f32(product(kF32, kUp, a, b)); }),
      of_each_lane(
          "mul.rn.ftz.sat.f32", two,
          +[](float a, float b) { return f32(product(kF32, saturating(flushing(kNear)), a, b)); }),
      of_each_lane(
          "fma.rn.f32", three,
          +[](float a, float b, float c) { return f32(product_sum(kF32, kNear, a, b, c)); }),
      of_each_lane(
          "fma.rz.ftz.f32", three,
          +[](float a, float b, float c) {
            return f32(product_sum(kF32, flushing(kZero), a, b, c));
          }),
      of_each_lane(
          "fma.rm.f32", three,
          +[](float a, float b, float c) { return f32(product_sum(kF32, kDown, a, b, c)); }),
      of_each_lane(
          "div.rn.f32", two, +[](float a, float b) { return f32(quotient(kF32, kNear, a, b)); }),
      of_each_lane(
          "div.rz.ftz.f32", two,
          +[](float a, float b) { return f32(quotient(kF32, flushing(kZero), a, b)); }),
      of_each_lane(
          "rcp.rp.f32", one, +[](float a) { return f32(quotient(kF32, kUp, 1, a)); }),
      of_each_lane(
          "sqrt.rm.f32", one, +[](float a) { return f32(root(kF32, kDown, a)); }),
      of_each_lane("min.f32", two, &smaller),
      of_each_lane("max.ftz.NaN.f32", two, &larger_or_nan),
      of_each_lane(
          "add.rm.f64", doubles, +[](double a, double b) { return sum(kF64, kDown, a, b); }),
      of_each_lane(
          "mul.rz.f64", doubles, +[](double a, double b) { return product(kF64, kZero, a, b); }),
      // IEEE 754 defines it; the host's is one.
      of_each_lane(
          "fma.rn.f64", {kDouble, kDouble, kDouble},
          +[](double a, double b, double c) { return std::fma(a, b, c); }),
      of_each_lane(
          "div.rp.f64", doubles, +[](double a, double b) { return quotient(kF64, kUp, a, b); }),
      of_each_lane("add.rn.f16x2", {kHalves, kHalves}, &sum_of_halves),
      of_each_lane("fma.rn.relu.bf16x2", {kBfloats, kBfloats, kBfloats}, &product_sum_of_bfloats),
  };
}

}  // namespace lodestone::gpu_tests
