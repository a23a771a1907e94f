// Integer and bit operations against the PTX manual's definitions, bit by bit where it gives them.
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <numeric>

#include "tests/gpu/ptx_program.h"
#include "tests/gpu/scalar_inputs.h"

namespace lodestone::ptx {
namespace {

using lodestone::testing::integers;
using lodestone::testing::Pairs;

__extension__ using Wide = __int128;

// The low bits of a whole number, as the type has them.
template <class T>
T wrapped(Wide value) {
  return static_cast<T>(static_cast<std::uint64_t>(value));
}

template <class T>
struct TypeName;
template <>
struct TypeName<std::uint16_t> {
  static constexpr const char* kName = "u16";
};
template <>
struct TypeName<std::int16_t> {
  static constexpr const char* kName = "s16";
};
template <>
struct TypeName<std::uint32_t> {
  static constexpr const char* kName = "u32";
};
template <>
struct TypeName<std::int32_t> {
  static constexpr const char* kName = "s32";
};
template <>
struct TypeName<std::uint64_t> {
  static constexpr const char* kName = "u64";
};
template <>
struct TypeName<std::int64_t> {
  static constexpr const char* kName = "s64";
};

template <class T>
class IntegerOperations : public ::testing::Test {};
using Types = ::testing::Types<std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                               std::uint64_t, std::int64_t>;
TYPED_TEST_SUITE(IntegerOperations, Types);

template <class T>
void expect_binary(const std::string& stem, const std::function<T(Wide, Wide)>& definition) {
  const Pairs<T> pairs(integers<T>(20, 1));
  const std::string opcode = stem + "." + TypeName<T>::kName;
  const auto got = run_instruction<T>(opcode + " %d, %a, %b;", pairs.first, pairs.second);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i], definition(pairs.first[i], pairs.second[i]))
        << opcode << " of " << +pairs.first[i] << " and " << +pairs.second[i];
  }
}

TYPED_TEST(IntegerOperations, SumsProductsAndExtremes) {
  using T = TypeParam;
  expect_binary<T>("add", [](Wide a, Wide b) { return wrapped<T>(a + b); });
  expect_binary<T>("sub", [](Wide a, Wide b) { return wrapped<T>(a - b); });
  expect_binary<T>("min", [](Wide a, Wide b) { return wrapped<T>(a < b ? a : b); });
  expect_binary<T>("max", [](Wide a, Wide b) { return wrapped<T>(a > b ? a : b); });
  if constexpr (sizeof(T) < 8) {  // products of 64 bits do not fit: below
    expect_binary<T>("mul.lo", [](Wide a, Wide b) { return wrapped<T>(a * b); });
    expect_binary<T>("mul.hi",
                     [](Wide a, Wide b) { return wrapped<T>((a * b) >> (8 * sizeof(T))); });
  }
}

TYPED_TEST(IntegerOperations, QuotientsTruncateAndZeroDividesToOnes) {
  using T = TypeParam;
  expect_binary<T>(
      "div", [](Wide a, Wide b) { return b == 0 ? static_cast<T>(~T{0}) : wrapped<T>(a / b); });
  expect_binary<T>("rem",
                   [](Wide a, Wide b) { return b == 0 ? wrapped<T>(a) : wrapped<T>(a % b); });
}

// Schoolbook multiplication of 32-bit halves.
TEST(WideProducts, Of64Bits) {
  const Pairs<std::uint64_t> pairs(integers<std::uint64_t>(20, 2));
  const auto low =
      run_instruction<std::uint64_t>("mul.lo.u64 %d, %a, %b;", pairs.first, pairs.second);
  const auto high =
      run_instruction<std::uint64_t>("mul.hi.u64 %d, %a, %b;", pairs.first, pairs.second);
  for (std::size_t i = 0; i < low.size(); ++i) {
    const std::uint64_t a = pairs.first[i], b = pairs.second[i];
    const std::uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    const std::uint64_t cross = a0 * b1 + (middle & 0xffffffff);
    EXPECT_EQ(low[i], a * b);
    EXPECT_EQ(high[i], a1 * b1 + (middle >> 32) + (cross >> 32));
  }
}

TEST(WideProducts, HaveTwiceTheBits) {
  const Pairs<std::int32_t> pairs(integers<std::int32_t>(20, 3));
  const auto product =
      run_instruction<std::int64_t>("mul.wide.s32 %d, %a, %b;", pairs.first, pairs.second);
  const auto sum =
      run_instruction<std::int64_t>("mad.wide.s32 %d, %a, %b, -5;", pairs.first, pairs.second);
  for (std::size_t i = 0; i < product.size(); ++i) {
    const std::int64_t expected = std::int64_t{pairs.first[i]} * pairs.second[i];
    EXPECT_EQ(product[i], expected);
    EXPECT_EQ(sum[i], expected - 5);
  }
}

// 64-bit numbers in two words, with and without the carry handed on.
TEST(CarryChains, SumsAndDifferencesOfTwoWords) {
  const Pairs<std::uint64_t> pairs(integers<std::uint64_t>(20, 9));
  const std::string words =
      "{ .reg .b32 %l, %h, %m, %i; mov.b64 {%l, %h}, %a; mov.b64 {%m, %i}, %b; ";
  const std::string result = " mov.b64 %d, {%l, %h}; }";
  const auto sum = run_instruction<std::uint64_t>(
      words + "add.cc.u32 %l, %l, %m; addc.u32 %h, %h, %i;" + result, pairs.first, pairs.second);
  const auto difference = run_instruction<std::uint64_t>(
      words + "sub.cc.u32 %l, %l, %m; subc.u32 %h, %h, %i;" + result, pairs.first, pairs.second);
  const auto carries = run_instruction<std::uint64_t>("add.cc.u64 %d, %a, %b; addc.u64 %d, 0, 0;",
                                                      pairs.first, pairs.second);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::uint64_t a = pairs.first[i], b = pairs.second[i];
    EXPECT_EQ(sum[i], a + b);
    EXPECT_EQ(difference[i], a - b);
    EXPECT_EQ(carries[i], a + b < a ? 1u : 0u);
  }
}

TEST(CarryChains, ProductsOfTwoWords) {
  const Pairs<std::uint64_t> pairs(integers<std::uint64_t>(20, 10));
  const auto product = run_instruction<std::uint64_t>(
      "{ .reg .b32 %l, %h, %m, %i, %x, %y; mov.b64 {%l, %h}, %a; mov.b64 {%m, %i}, %b;"
      " mul.lo.u32 %x, %l, %m; mul.hi.u32 %y, %l, %m; mad.lo.cc.u32 %y, %l, %i, %y;"
      " mad.lo.u32 %y, %h, %m, %y; mov.b64 %d, {%x, %y}; }",
      pairs.first, pairs.second);
  for (std::size_t i = 0; i < product.size(); ++i) {
    EXPECT_EQ(product[i], pairs.first[i] * pairs.second[i]);
  }
  // -1 * 3 + 2^32 - 1 carries out of the low word into the high one.
  const auto high = run_instruction<std::int32_t>(
      "mad.lo.cc.s32 %d, %a, 3, -1; madc.hi.s32 %d, %a, 3, 10;", std::vector<std::int32_t>{-1, 1});
  EXPECT_EQ(high, (std::vector<std::int32_t>{10, 11}));
}

TEST(SaturatingIntegers, ClampToTheirRange) {
  const Pairs<std::int32_t> pairs(integers<std::int32_t>(20, 4));
  const auto sum =
      run_instruction<std::int32_t>("add.sat.s32 %d, %a, %b;", pairs.first, pairs.second);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::int64_t exact = std::int64_t{pairs.first[i]} + pairs.second[i];
    EXPECT_EQ(sum[i], std::clamp<std::int64_t>(exact, INT32_MIN, INT32_MAX));
  }
}

TEST(BitOperations, FieldExtractTakesTheSignFromTheHighestBit) {
  const auto a = integers<std::uint32_t>(40, 5);
  for (const std::uint32_t position : {0u, 1u, 5u, 24u, 31u, 32u, 200u, 255u}) {
    for (const std::uint32_t length : {0u, 1u, 8u, 31u, 32u, 33u, 255u}) {
      const std::string tail = fmt::format(" %d, %a, {}, {};", position, length);
      const auto plain = run_instruction<std::uint32_t>("bfe.u32" + tail, a);
      const auto with_sign = run_instruction<std::uint32_t>("bfe.s32" + tail, a);
      for (std::size_t n = 0; n < a.size(); ++n) {
        const auto bit = [&](std::uint32_t i) { return a[n] >> i & 1; };
        const std::uint32_t sign = length == 0 ? 0 : bit(std::min(position + length - 1, 31u));
        std::uint32_t expected = 0, expected_sign = 0;
        for (std::uint32_t i = 0; i < 32; ++i) {
          const bool inside = i < length && position + i <= 31;
          expected |= (inside ? bit(position + i) : 0) << i;
          expected_sign |= (inside ? bit(position + i) : sign) << i;
        }
        EXPECT_EQ(plain[n], expected) << position << ", " << length;
        EXPECT_EQ(with_sign[n], expected_sign) << position << ", " << length;
      }
    }
  }
}

template <class T>
void expect_insert(const std::string& opcode, T a, T b, std::uint32_t position,
                   std::uint32_t length) {
  const auto got =
      run_instruction<T>(fmt::format("{} %d, %a, %b, {}, {};", opcode, position, length),
                         std::vector<T>{a}, std::vector<T>{b});
  T expected = b;
  for (std::uint32_t i = 0; i < length && position + i < 8 * sizeof(T); ++i) {
    const T place = T{1} << (position + i);
    expected = (a >> i & 1) != 0 ? expected | place : expected & ~place;
  }
  EXPECT_EQ(got[0], expected) << opcode << " at " << position << " of " << length;
}

TEST(BitOperations, FieldInsertOf32And64Bits) {
  for (const std::uint32_t position : {0u, 7u, 31u, 32u, 40u, 63u, 64u, 255u}) {
    for (const std::uint32_t length : {0u, 1u, 8u, 32u, 33u, 64u, 255u}) {
      expect_insert<std::uint32_t>("bfi.b32", 0x12345678, 0xffff0000, position, length);
      expect_insert<std::uint64_t>("bfi.b64", 0x123456789abcdef0, 0xffffffff00000000, position,
                                   length);
    }
  }
}

TEST(BitOperations, ShiftsBeyondTheWidthShiftEverythingOut) {
  const auto a = integers<std::int32_t>(20, 6);
  for (const std::uint32_t by : {0u, 1u, 31u, 32u, 33u, 64u, 0xffffffffu}) {
    const auto amount = fmt::format(" %d, %a, {};", by);
    const auto left = run_instruction<std::int32_t>("shl.b32" + amount, a);
    const auto logical = run_instruction<std::uint32_t>("shr.u32" + amount, a);
    const auto arithmetic = run_instruction<std::int32_t>("shr.s32" + amount, a);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto bits = static_cast<std::uint32_t>(a[i]);
      EXPECT_EQ(static_cast<std::uint32_t>(left[i]), by < 32 ? bits << by : 0);
      EXPECT_EQ(logical[i], by < 32 ? bits >> by : 0);
      EXPECT_EQ(arithmetic[i], by < 32 ? a[i] >> by : (a[i] < 0 ? -1 : 0));
    }
  }
}

TEST(BitOperations, FunnelShiftsTakeTheAmountModuloOrClamped) {
  const Pairs<std::uint32_t> pairs(integers<std::uint32_t>(10, 7));
  for (const std::uint32_t by : {0u, 1u, 31u, 32u, 33u}) {
    const auto tail = fmt::format(".b32 %d, %a, %b, {};", by);
    const auto left =
        run_instruction<std::uint32_t>("shf.l.wrap" + tail, pairs.first, pairs.second);
    const auto right =
        run_instruction<std::uint32_t>("shf.r.clamp" + tail, pairs.first, pairs.second);
    const std::uint32_t modulo = by % 32, clamped = std::min(by, 32u);
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::uint32_t a = pairs.first[i], b = pairs.second[i];
      EXPECT_EQ(left[i], modulo == 0 ? b : b << modulo | a >> (32 - modulo));
      EXPECT_EQ(right[i], clamped == 0    ? a
                          : clamped == 32 ? b
                                          : b << (32 - clamped) | a >> clamped);
    }
  }
}

TEST(BitOperations, TruthTablesOfThreeInputs) {
  for (std::uint32_t table = 0; table < 256; ++table) {
    const std::vector<std::uint32_t> a{0xf0f0f0f0}, b{0xcccccccc}, c{0xaaaaaaaa};
    const auto got =
        run_instruction<std::uint32_t>(fmt::format("lop3.b32 %d, %a, %b, %c, {};", table), a, b, c);
    EXPECT_EQ(got[0], table * 0x01010101u) << table;
  }
}

TEST(BitOperations, BytesArePermuted) {
  const std::vector<std::uint32_t> a{0x83020100}, b{0x07068504};
  const auto permuted = [&](const std::string& selector) {
    return run_instruction<std::uint32_t>("prmt.b32 %d, %a, %b, " + selector + ";", a, b)[0];
  };
  EXPECT_EQ(permuted("0x3210"), 0x83020100u);
  EXPECT_EQ(permuted("0x7654"), 0x07068504u);
  EXPECT_EQ(permuted("0x0246"), 0x00020406u);
  EXPECT_EQ(permuted("0xb8d5"), 0xff00ff85u);  // signs of bytes 3, 0 and 5
}

TEST(BitOperations, CountsAndReversal) {
  const auto a = integers<std::uint64_t>(40, 8);
  const auto ones = run_instruction<std::uint32_t>("popc.b64 %d, %a;", a);
  const auto zeros = run_instruction<std::uint32_t>("clz.b64 %d, %a;", a);
  const auto reversed = run_instruction<std::uint64_t>("brev.b64 %d, %a;", a);
  const auto highest = run_instruction<std::uint32_t>("bfind.u64 %d, %a;", a);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint32_t count = 0, leading = 64;
    std::uint64_t mirrored = 0;
    for (std::uint32_t bit = 0; bit < 64; ++bit) {
      if ((a[i] >> bit & 1) == 0) continue;
      ++count;
      leading = 63 - bit;
      mirrored |= std::uint64_t{1} << (63 - bit);
    }
    EXPECT_EQ(ones[i], count);
    EXPECT_EQ(zeros[i], leading);
    EXPECT_EQ(reversed[i], mirrored);
    EXPECT_EQ(highest[i], a[i] == 0 ? 0xffffffffu : 63 - leading);
  }
}

TEST(BitOperations, DotProductsOfBytes) {
  const std::vector<std::uint32_t> a{0x80ff7f01}, b{0x02030405};
  const auto dot = [&](const std::string& types) {
    return run_instruction<std::int32_t>("dp4a." + types + " %d, %a, %b, 10;", a, b)[0];
  };
  EXPECT_EQ(dot("s32.s32"), 10 + -128 * 2 + -1 * 3 + 127 * 4 + 1 * 5);
  EXPECT_EQ(dot("u32.u32"), 10 + 128 * 2 + 255 * 3 + 127 * 4 + 1 * 5);
}

}  // namespace
}  // namespace lodestone::ptx
