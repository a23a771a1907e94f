#include <algorithm>
#include <limits>

#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

using Limits = std::numeric_limits<std::int32_t>;

std::int32_t clamped(std::int64_t value) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, Limits::min(), Limits::max()));
}

std::int64_t product(std::int32_t a, std::int32_t b) {
  return static_cast<std::int64_t>(a) * b;
}

// The lowest 24 bits, a number with a sign.
std::int64_t low_24(std::int32_t a) {
  const std::int64_t low = a & 0xffffff;
  return low >= 0x800000 ? low - 0x1000000 : low;
}

std::int32_t mul24(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(low_24(a) * low_24(b));
}

int bit_of(std::uint64_t word, std::uint32_t place) {
  return place < 64 ? static_cast<int>(word >> place & 1) : 0;
}

// Bits beyond the word, and those beyond the field, are copies of the sign: the field's highest bit
// or, where that lies beyond the word, the word's.
template <class T, int kBits, bool kIsSigned>
T extract_field(T a, std::uint32_t position, std::uint32_t length) {
  position &= 0xff;
  length &= 0xff;
  const auto word = static_cast<std::uint64_t>(a);
  const std::uint32_t highest = std::min<std::uint32_t>(position + length - 1, kBits - 1);
  const int sign = kIsSigned && length > 0 ? bit_of(word, highest) : 0;
  std::uint64_t field = 0;
  for (std::uint32_t i = 0; i < kBits; ++i) {
    const bool inside = i < length && position + i < kBits;
    field |= static_cast<std::uint64_t>(inside ? bit_of(word, position + i) : sign) << i;
  }
  return static_cast<T>(field);
}

std::uint32_t insert_field(std::uint32_t a, std::uint32_t b, std::uint32_t position,
                           std::uint32_t length) {
  position &= 0xff;
  length &= 0xff;
  for (std::uint32_t i = 0; i < length && position + i < 32; ++i) {
    const std::uint32_t bit = 1u << (position + i);
    b = i < 32 && (a >> i & 1) != 0 ? b | bit : b & ~bit;
  }
  return b;
}

std::uint32_t reversed(std::uint32_t a) {
  std::uint32_t result = 0;
  for (int i = 0; i < 32; ++i) result |= (a >> i & 1) << (31 - i);
  return result;
}

std::uint32_t ones(std::uint64_t a) {
  std::uint32_t count = 0;
  for (; a != 0; a >>= 1) count += a & 1;
  return count;
}

std::uint32_t leading_zeros(std::uint32_t a) {
  std::uint32_t count = 0;
  while (count < 32 && (a >> (31 - count) & 1) == 0) ++count;
  return count;
}

// The place of the highest bit that is not a copy of the sign.
std::uint32_t leading_place(std::int32_t a) {
  for (int place = 31; place >= 0; --place) {
    if ((a >> place & 1) != (a < 0 ? 1 : 0)) return static_cast<std::uint32_t>(place);
  }
  return 0xffffffff;
}

// Each digit of the selector names a byte of the two words, or eight copies of its highest bit.
std::uint32_t permuted(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
  std::uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t digit = selector >> (4 * i) & 15, which = digit & 7;
    std::uint32_t byte = (which < 4 ? a >> (8 * which) : b >> (8 * (which - 4))) & 0xff;
    if ((digit & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

std::uint64_t joined(std::uint32_t low, std::uint32_t high) {
  return std::uint64_t{high} << 32 | low;
}

std::uint32_t any_logic(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t result = 0;
  for (int i = 0; i < 32; ++i) {
    const std::uint32_t row = (a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1);
    result |= (0xd8u >> row & 1) << i;
  }
  return result;
}

std::uint32_t bit_mask(std::uint32_t position, std::uint32_t width) {
  std::uint32_t mask = 0;
  for (std::uint64_t i = 0; i < width && position + i < 32; ++i) mask |= 1u << (position + i);
  return mask;
}

// Signed bytes times unsigned ones.
std::int32_t dot_product(std::uint32_t a, std::uint32_t b, std::int32_t c) {
  std::int64_t total = c;
  for (int i = 0; i < 4; ++i) {
    const auto x = static_cast<std::int8_t>(a >> (8 * i));
    const auto y = static_cast<std::uint8_t>(b >> (8 * i));
    total += std::int64_t{x} * y;
  }
  return static_cast<std::int32_t>(total);
}

}  // namespace

std::vector<Definition> integer_definitions() {
  using enum Operand;
  using Word = std::uint32_t;
  const std::vector<Operand> one{kWord}, two{kWord, kWord}, three{kWord, kWord, kWord};
  return {
      of_each_lane("mul24.lo.s32", two, &mul24),
      of_each_lane(
          "mul.hi.s32", two, +[](int a, int b) { return static_cast<int>(product(a, b) >> 32); }),
      of_each_lane(
          "mad.wide.u32", {kWord, kWord, kLong},
          +[](Word a, Word b, std::uint64_t c) { return std::uint64_t{a} * b + c; }),
      of_each_lane(
          "mad.hi.sat.s32", three,
          +[](int a, int b, int c) { return clamped((product(a, b) >> 32) + c); }),
      of_each_lane(
          "add.sat.s32", two, +[](int a, int b) { return clamped(std::int64_t{a} + b); }),
      of_each_lane("bfe.s32", {kWord, kCount, kCount}, &extract_field<int, 32, true>),
      of_each_lane("bfe.u64", {kLong, kCount, kCount}, &extract_field<std::uint64_t, 64, false>),
      of_each_lane("bfi.b32", {kWord, kWord, kCount, kCount}, &insert_field),
      of_each_lane("brev.b32", one, &reversed),
      of_each_lane("popc.b64", {kLong}, &ones),
      of_each_lane("clz.b32", one, &leading_zeros),
      of_each_lane("bfind.s32", one, &leading_place),
      of_each_lane("prmt.b32", {kBits, kBits, kBits}, &permuted),
      of_each_lane(
          "shf.l.wrap.b32", {kWord, kWord, kCount},
          +[](Word low, Word high, Word count) {
            return static_cast<Word>(joined(low, high) << count % 32 >> 32);
          }),
      of_each_lane(
          "shf.r.clamp.b32", {kWord, kWord, kCount},
          +[](Word low, Word high, Word count) {
            return static_cast<Word>(joined(low, high) >> std::min(count, 32u));
          }),
      of_each_lane(
          "shr.s32", {kWord, kCount}, +[](int a, Word count) { return a >> std::min(count, 31u); }),
      of_each_lane("lop3.b32", three, &any_logic),
      of_each_lane("bmsk.clamp.b32", {kCount, kCount}, &bit_mask),
      of_each_lane("dp4a.s32.u32", three, &dot_product),
  };
}

}  // namespace lodestone::gpu_tests
