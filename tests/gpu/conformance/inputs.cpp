#include "tests/gpu/conformance/inputs.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/core/philox.h"

namespace lodestone::gpu_tests {

namespace {

constexpr std::uint32_t kSpecialFloats[]{
    0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff,
    0x7f812345, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f7fffff, 0x4b800001};
constexpr std::uint32_t kSpecialWords[]{
    0,          1,          2,          31,         32,         33,         255,        256,
    0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0x00ffffff, 0x00800000, 0x55555555};

std::uint32_t float_bits(double value) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(value));
}

// A number of a random sign with an exponent from `least` on. Every second has half as many digits:
// exact results and ties are then common.
std::uint32_t number(const PhiloxBlock& random, std::uint32_t least, std::uint32_t exponents) {
  const std::uint32_t exponent = least + random[2] % exponents;
  const std::uint32_t digits = random[1] % 2 == 0 ? 0x7fffff : 0x7ff800;
  return (random[1] & 0x80000000) | exponent << 23 | (random[3] & digits);
}

std::uint32_t any_float(const PhiloxBlock& random) {
  switch (random[0] % 8) {
    case 0:
      return kSpecialFloats[random[1] % 16];
    case 1:
      return random[1];
    case 2:
      return number(random, 0, 3);
    case 3:
      return number(random, 252, 3);
    default:
      return number(random, 127 - 12, 25);
  }
}

std::uint32_t any_word(std::uint32_t kind, std::uint32_t bits) {
  if (kind % 4 == 0) return kSpecialWords[bits % 16];
  return kind % 4 == 1 ? bits >> (kind >> 2) % 32 : bits;
}

std::uint32_t bfloat(std::uint32_t random) {
  return (random & 0x80ff) | (127 - 4 + (random >> 8) % 8) << 7;
}

std::uint32_t integer(std::uint32_t random) {
  return float_bits(static_cast<int>(random % 17) - 8);
}

std::uint64_t double_bits(const PhiloxBlock& random) {
  const std::uint64_t exponent = 1023 - 30 + random[2] % 61;
  const std::uint64_t digits = random[2] % 2 == 0 ? 0xf'ffff'ffff'ffff : 0xf'fffc'0000'0000;
  const std::uint64_t mantissa = (std::uint64_t{random[0]} << 32 | random[1]) & digits;
  return std::uint64_t{random[3] % 2} << 63 | exponent << 52 | mantissa;
}

std::uint64_t draw(Operand operand, const PhiloxBlock& random, const PhiloxBlock& of_warp) {
  const double turn = 2 * std::numbers::pi * (2 * uniform(random[0]) - 1);
  const bool is_odd_one = of_warp[0] % 2 == 0 && random[0] % 16 == 0;
  switch (operand) {
    case Operand::kFloat:
      return any_float(random);
    case Operand::kNumber:
      return number(random, 127 - 12, 25);
    case Operand::kAngle:
      return float_bits(turn);
    case Operand::kExponent:
      return random[1] % 8 == 0 ? any_float(random) : float_bits(280 * uniform(random[0]) - 140);
    case Operand::kDouble:
      return double_bits(random);
    case Operand::kWord:
      return any_word(random[0], random[1]);
    case Operand::kBits:
      return random[0];
    case Operand::kCount:
      return random[0] % 80;
    case Operand::kLong:
      return std::uint64_t{any_word(random[0], random[1])} << 32 | any_word(random[2], random[3]);
    case Operand::kFewLongs:
      return 0x1'0000'0001u * std::uint64_t{random[0] % 3};
    case Operand::kFew:
      return std::uint64_t{0x10001} * (random[0] % 3);
    case Operand::kVote:
      return of_warp[0] % 4 == 0 ? random[0] % 2 : of_warp[1] % 2 ^ (is_odd_one ? 1 : 0);
    case Operand::kAlike:
      return (std::uint64_t{of_warp[1]} << 32 | of_warp[2]) ^ (is_odd_one ? random[1] : 0);
    case Operand::kBytes:
      return random[0] % 17;
    case Operand::kHalf:
      return random[0] & 0xffff;
    case Operand::kHalves:
      return random[0];
    case Operand::kBfloats:
      return bfloat(random[0]) << 16 | bfloat(random[1]);
    case Operand::kIntegerBfloats:
      return (integer(random[0]) & 0xffff0000) | integer(random[1]) >> 16;
    case Operand::kInteger:
      return integer(random[0]);
    case Operand::kTensorFloat:
      return number(random, 127 - 4, 8) & 0xffffe000;
  }
  return 0;
}

}  // namespace

int words_of(Operand operand) {
  const bool is_long = operand == Operand::kDouble || operand == Operand::kLong ||
                       operand == Operand::kFewLongs || operand == Operand::kAlike;
  return is_long ? 2 : 1;
}

std::vector<std::uint32_t> random_inputs(std::string_view name,
                                         const std::vector<Operand>& operands, int threads) {
  const std::vector<std::uint32_t> letters(name.begin(), name.end());
  const RandomKey key = RandomKey::derive(1, fingerprint(letters), 0);
  std::vector<std::uint32_t> inputs;
  for (int thread = 0; thread < threads; ++thread) {
    for (std::uint32_t i = 0; i < operands.size(); ++i) {
      const auto row = static_cast<std::uint64_t>(thread);
      const std::uint64_t value = draw(operands[i], key.at(row, i), key.at(row / 32, i, 1));
      inputs.push_back(static_cast<std::uint32_t>(value));
      if (words_of(operands[i]) == 2) inputs.push_back(static_cast<std::uint32_t>(value >> 32));
    }
  }
  return inputs;
}

std::uint32_t fingerprint(const std::vector<std::uint32_t>& words) {
  return std::accumulate(
      words.begin(), words.end(), 2166136261u,
      [](std::uint32_t hash, std::uint32_t word) { return (hash ^ word) * 16777619u; });
}

}  // namespace lodestone::gpu_tests
