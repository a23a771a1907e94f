// Comparisons: each against what it says of less, equal, greater and unordered.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/gpu/ptx_program.h"
#include "tests/gpu/scalar_inputs.h"

namespace lodestone::ptx {
namespace {

using lodestone::testing::integers;
using lodestone::testing::Pairs;
using lodestone::testing::special_floats;

// For which of the four relations a comparison is true.
struct Truth {
  const char* name;
  bool less, equal, greater, unordered;
};

constexpr Truth kNumbers[]{{"eq", false, true, false, false}, {"ne", true, false, true, false},
                           {"lt", true, false, false, false}, {"le", true, true, false, false},
                           {"gt", false, false, true, false}, {"ge", false, true, true, false},
                           {"equ", false, true, false, true}, {"neu", true, false, true, true},
                           {"ltu", true, false, false, true}, {"leu", true, true, false, true},
                           {"gtu", false, false, true, true}, {"geu", false, true, true, true},
                           {"num", true, true, true, false},  {"nan", false, false, false, true}};

template <class T>
bool expected(const Truth& truth, T a, T b) {
  if (a != a || b != b) return truth.unordered;
  return a < b ? truth.less : a > b ? truth.greater : truth.equal;
}

std::string comparison(const std::string& opcode) {
  return "setp." + opcode + " %p, %a, %b; selp.u32 %d, 1, 0, %p;";
}

TEST(Comparison, OfNumbers) {
  const Pairs<float> pairs(special_floats());
  for (const Truth& truth : kNumbers) {
    const auto got = run_instruction<std::uint32_t>(comparison(std::string(truth.name) + ".f32"),
                                                    pairs.first, pairs.second);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i] != 0, expected(truth, pairs.first[i], pairs.second[i]))
          << truth.name << " of " << pairs.first[i] << " and " << pairs.second[i];
    }
  }
}

TEST(Comparison, OfIntegersWithAndWithoutSign) {
  const Pairs<std::int32_t> pairs(integers<std::int32_t>(10, 1));
  for (const auto& [with_sign, without] :
       {std::pair{"lt", "lo"}, {"le", "ls"}, {"gt", "hi"}, {"ge", "hs"}}) {
    const Truth* truth = std::ranges::find(kNumbers, std::string_view(with_sign), &Truth::name);
    const auto plain = run_instruction<std::uint32_t>(comparison(fmt::format("{}.s32", with_sign)),
                                                      pairs.first, pairs.second);
    const auto magnitude = run_instruction<std::uint32_t>(
        comparison(fmt::format("{}.u32", without)), pairs.first, pairs.second);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const std::int32_t a = pairs.first[i], b = pairs.second[i];
      EXPECT_EQ(plain[i] != 0, expected(*truth, a, b));
      EXPECT_EQ(magnitude[i] != 0,
                expected(*truth, static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)));
    }
  }
}

// The second predicate takes the comparison inverted, and both are combined with the third.
TEST(Comparison, TwoPredicatesCombinedWithAThird) {
  const std::vector<std::int32_t> a{1, 2, 3, 4}, b{2, 2, 2, 2}, c{0, 1, 0, 1};
  for (const auto& [name, combine] : std::vector<std::pair<std::string, bool (*)(bool, bool)>>{
           {"and", [](bool x, bool y) { return x && y; }},
           {"or", [](bool x, bool y) { return x || y; }},
           {"xor", [](bool x, bool y) { return x != y; }}}) {
    const auto got = run_instruction<std::uint32_t>(
        fmt::format("setp.ne.s32 %q, %c, 0; setp.lt.{}.s32 %p|%q, %a, %b, !%q; "
                    "selp.u32 %d, 2, 0, %p; selp.u32 %t, 1, 0, %q; or.b32 %d, %d, %t;",
                    name),
        a, b, c);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool less = a[i] < b[i], other = c[i] == 0;
      EXPECT_EQ(got[i], (combine(less, other) ? 2u : 0u) | (combine(!less, other) ? 1u : 0u));
    }
  }
}

TEST(Comparison, SetGivesOnesOrTheNumberOne) {
  const std::vector<float> a{1, 2, NAN}, b{2, 2, 2};
  EXPECT_EQ(run_instruction<std::uint32_t>("set.lt.u32.f32 %d, %a, %b;", a, b),
            (std::vector<std::uint32_t>{0xffffffff, 0, 0}));
  EXPECT_EQ(run_instruction<float>("set.geu.f32.f32 %d, %a, %b;", a, b),
            (std::vector<float>{0, 1, 1}));
}

TEST(Comparison, OfHalvesAndTheirPairs) {
  const std::vector<std::uint32_t> a{0x3c004000}, b{0x40003c00};  // (1, 2) and (2, 1)
  const auto got = run_instruction<std::uint32_t>(
      "setp.lt.f16x2 %p|%q, %a, %b; selp.u32 %d, 1, 0, %p; selp.u32 %t, 2, 0, %q; or.b32 %d, %d, "
      "%t;",
      a, b);
  EXPECT_EQ(got[0], 2u);
  EXPECT_EQ(run_instruction<std::uint32_t>("set.gt.f16x2.f16x2 %d, %a, %b;", a, b)[0], 0x00003c00u);
}

TEST(Comparison, SelectionBySign) {
  const std::vector<float> c{1.0f, -1.0f, -0.0f, NAN};
  EXPECT_EQ(run_instruction<std::uint32_t>("slct.u32.f32 %d, 7, 9, %a;", c),
            (std::vector<std::uint32_t>{7, 9, 7, 9}));
}

}  // namespace
}  // namespace lodestone::ptx
