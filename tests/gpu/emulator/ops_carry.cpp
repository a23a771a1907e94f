// Integer arithmetic in several words: sums and differences that hand a carry on, lane by lane.
#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

__extension__ using Int128 = __int128;

template <class T>
struct WithCarry {
  T value;
  bool carry;
};

// Each takes the carry that comes in and gives the one that goes out; of a difference, the borrow.
struct Add {
  template <class T>
  WithCarry<T> operator()(T a, T b, bool carry) const {
    const T sum = static_cast<T>(a + b);
    const T result = static_cast<T>(sum + (carry ? 1 : 0));
    return {result, sum < a || result < sum};
  }
};
struct Subtract {
  template <class T>
  WithCarry<T> operator()(T a, T b, bool borrow) const {
    const T difference = static_cast<T>(a - b);
    const T result = static_cast<T>(difference - (borrow ? 1 : 0));
    return {result, a < b || difference < result};
  }
};

// The upper half of a product, of numbers with or without sign.
template <class T, bool kSigned>
T upper_product(T a, T b) {
  using Narrow = std::conditional_t<kSigned, std::make_signed_t<T>, T>;
  constexpr int kBits = 8 * sizeof(T);
  if constexpr (sizeof(T) == 4) {
    const auto wide = static_cast<std::int64_t>(static_cast<Narrow>(a));
    return static_cast<T>(static_cast<std::uint64_t>(wide * static_cast<Narrow>(b)) >> kBits);
  } else {
    __extension__ using Wide = std::conditional_t<kSigned, Int128, unsigned __int128>;
    return static_cast<T>((Wide{static_cast<Narrow>(a)} * Wide{static_cast<Narrow>(b)}) >> kBits);
  }
}

// Operation::modifiers: whether a carry comes in, and whether one goes out.
enum CarryFlag : std::uint32_t { kTakesCarry = 1, kGivesCarry = 2 };

template <class T, class Function>
WithCarry<T> step(const Warp& warp, const Operation& operation, std::uint32_t lane, T a, T b) {
  const bool carry = (operation.modifiers & kTakesCarry) != 0 && (warp.carry() >> lane & 1) != 0;
  return Function{}(a, b, carry);
}

template <class T>
void finish(Warp& warp, const Operation& operation, std::uint32_t lane, WithCarry<T> result) {
  warp.lanes<T>(operation.registers[0])[lane] = result.value;
  if ((operation.modifiers & kGivesCarry) == 0) return;
  const LaneMask place = LaneMask{1} << lane;
  warp.set_carry((warp.carry() & ~place) | (result.carry ? place : 0));
}

template <class T, class Function>
void sum(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    finish(warp, operation, lane, step<T, Function>(warp, operation, lane, a[lane], b[lane]));
  }
}

enum class Part : std::uint8_t { kLow, kHigh, kSignedHigh };

template <class T, Part kPart>
void product_sum(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  const T* c = warp.lanes<T>(operation.registers[3]);
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    const T product = kPart == Part::kLow
                          ? static_cast<T>(a[lane] * b[lane])
                          : upper_product<T, kPart == Part::kSignedHigh>(a[lane], b[lane]);
    finish(warp, operation, lane, step<T, Add>(warp, operation, lane, product, c[lane]));
  }
}

std::uint32_t flags(bool takes, bool gives) {
  return (takes ? std::uint32_t{kTakesCarry} : 0) | (gives ? std::uint32_t{kGivesCarry} : 0);
}

// Groups: ".cc" when a carry goes out, the type.
template <class Function, bool kTakes>
void translate_sum(Translator& t, const Instruction& instruction, const Match& match,
                   Operation& operation) {
  const std::uint32_t bits = type_bits(match[1]);
  translate_uniform(t, instruction, operation, 2, bits);
  operation.modifiers = flags(kTakes, match.has(0));
  operation.handler = bits == 32 ? sum<std::uint32_t, Function> : sum<std::uint64_t, Function>;
}

template <class T>
Handler product_handler(bool is_low, bool is_signed) {
  if (is_low) return product_sum<T, Part::kLow>;
  return is_signed ? product_sum<T, Part::kSignedHigh> : product_sum<T, Part::kHigh>;
}

// Groups: the half, ".cc" when a carry goes out, the type.
template <bool kTakes>
void translate_product_sum(Translator& t, const Instruction& instruction, const Match& match,
                           Operation& operation) {
  const std::uint32_t bits = type_bits(match[2]);
  translate_uniform(t, instruction, operation, 3, bits);
  operation.modifiers = flags(kTakes, match.has(1));
  const bool is_low = match[0] == ".lo", is_signed = match[2][0] == 's';
  operation.handler = bits == 32 ? product_handler<std::uint32_t>(is_low, is_signed)
                                 : product_handler<std::uint64_t>(is_low, is_signed);
}

}  // namespace

void add_carry_operations(OpcodeTable& table) {
  table.add("add(.cc).(u32|s32|u64|s64)", &translate_sum<Add, false>);
  table.add("sub(.cc).(u32|s32|u64|s64)", &translate_sum<Subtract, false>);
  table.add("addc[.cc].(u32|s32|u64|s64)", &translate_sum<Add, true>);
  table.add("subc[.cc].(u32|s32|u64|s64)", &translate_sum<Subtract, true>);
  table.add("mad(.lo|.hi)(.cc).(u32|s32|u64|s64)", &translate_product_sum<false>);
  table.add("madc(.lo|.hi)[.cc].(u32|s32|u64|s64)", &translate_product_sum<true>);
}

}  // namespace lodestone::ptx
