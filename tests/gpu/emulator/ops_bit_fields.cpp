// Fields of bits: funnel shifts, permutations of bytes, truth tables, extraction and insertion.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U32 = std::uint32_t;
using U64 = std::uint64_t;

template <class T>
constexpr U32 kBits = 8 * sizeof(T);

// Funnel shift of the 64 bits (b, a); the amount is taken modulo 32 or at most 32.
template <bool kLeft, bool kClamp>
struct FunnelShift {
  U32 operator()(U32 a, U32 b, U32 c) const {
    const U32 by = kClamp ? (c < 32 ? c : 32) : c & 31;
    const U64 both = U64{b} << 32 | a;
    return static_cast<U32>(kLeft ? both >> (32 - by) : both >> by);
  }
};

// Bytes of (b, a), chosen by the nibbles of c; the top bit of a nibble asks for the byte's sign.
struct Permute {
  U32 operator()(U32 a, U32 b, U32 c) const {
    const U64 both = U64{b} << 32 | a;
    U32 result = 0;
    for (U32 i = 0; i < 4; ++i) {
      const U32 nibble = c >> (4 * i) & 15;
      const U32 byte = static_cast<U32>(both >> (8 * (nibble & 7))) & 0xff;
      const U32 sign = (byte & 0x80) != 0 ? 0xff : 0;
      result |= ((nibble & 8) != 0 ? sign : byte) << (8 * i);
    }
    return result;
  }
};

// prmt with a mode: c's two low bits choose.
enum class PermuteMode : std::uint8_t {
  kForward4,
  kBackward4,
  kReplicate8,
  kEdgeLeft,
  kEdgeRight,
  kReplicate16
};

template <PermuteMode kMode>
struct PermuteByMode {
  U32 operator()(U32 a, U32 b, U32 c) const {
    U32 selector = 0;
    const U32 at = c & 3;
    for (U32 i = 0; i < 4; ++i) selector |= nibble(at, i) << (4 * i);
    return Permute{}(a, b, selector);
  }
  static U32 nibble(U32 at, U32 i) {
    switch (kMode) {
      case PermuteMode::kForward4:
        return at + i;
      case PermuteMode::kBackward4:
        return (at - i) & 7;
      case PermuteMode::kReplicate8:
        return at;
      case PermuteMode::kEdgeLeft:
        return i < at ? at : i;
      case PermuteMode::kEdgeRight:
        return i < at ? i : at;
      case PermuteMode::kReplicate16:
        return (at & 1) * 2 + (i & 1);
    }
    return 0;
  }
};

// Eight-entry truth table: bit (4 a + 2 b + c) of the constant.
void lop3(Warp& warp, const Operation& operation, LaneMask mask) {
  U32* to = warp.lanes<U32>(operation.registers[0]);
  const U32* a = warp.lanes<U32>(operation.registers[1]);
  const U32* b = warp.lanes<U32>(operation.registers[2]);
  const U32* c = warp.lanes<U32>(operation.registers[3]);
  const U32 table = operation.modifiers;
  const auto entry = [table](U32 index) { return (table >> index & 1) != 0 ? ~U32{0} : U32{0}; };
  const U32 t[8]{entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7)};
  for_lanes(mask, [&](U32 lane) {
    const U32 x = a[lane], y = b[lane], z = c[lane];
    const U32 when_not_x = (~y & ((~z & t[0]) | (z & t[1]))) | (y & ((~z & t[2]) | (z & t[3])));
    const U32 when_x = (~y & ((~z & t[4]) | (z & t[5]))) | (y & ((~z & t[6]) | (z & t[7])));
    to[lane] = (~x & when_not_x) | (x & when_x);
  });
}

void translate_lop3(Translator& t, const Instruction& instruction, const Match& /*match*/,
                    Operation& operation) {
  t.expect_operands(5);
  operation.registers[0] = t.destination(instruction.operands[0], 32);
  for (std::size_t i = 1; i <= 3; ++i)
    operation.registers[i] = t.source(instruction.operands[i], 32);
  operation.modifiers = static_cast<U32>(t.constant(instruction.operands[4]));
  if (operation.modifiers > 0xff) t.refuse("the truth table has more than eight entries");
  operation.handler = lop3;
}

// Ones above the bits that the field has of the value.
template <class U>
U sign_bits(U32 from, U32 count) {
  const U32 available = from < kBits<U> ? std::min(count, kBits<U> - from) : 0;
  return available >= kBits<U> ? U{0} : static_cast<U>(~U{0} << available);
}

// Bit field extract: `length` bits of a from `position`, with the sign of the highest one taken.
template <class T>
void extract_field(Warp& warp, const Operation& operation, LaneMask mask) {
  using U = std::make_unsigned_t<T>;
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const U32* position = warp.lanes<U32>(operation.registers[2]);
  const U32* length = warp.lanes<U32>(operation.registers[3]);
  for_lanes(mask, [&](U32 lane) {
    const U32 from = position[lane] & 0xff, count = length[lane] & 0xff;
    const auto value = static_cast<U>(a[lane]);
    const U field = from < kBits<T> ? static_cast<U>(value >> from) : U{0};
    const U ones = count >= kBits<T> ? static_cast<U>(~U{0}) : static_cast<U>((U{1} << count) - 1);
    const U32 last = std::min(from + count - 1, kBits<T> - 1);
    const bool negative = std::is_signed_v<T> && count != 0 && (value >> last & 1) != 0;
    to[lane] = static_cast<T>((field & ones) | (negative ? sign_bits<U>(from, count) : U{0}));
  });
}

// Bit field insert: the low `length` bits of a into b at `position`.
template <class T>
void insert_field(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  const U32* position = warp.lanes<U32>(operation.registers[3]);
  const U32* length = warp.lanes<U32>(operation.registers[4]);
  for_lanes(mask, [&](U32 lane) {
    const U32 from = position[lane] & 0xff, count = length[lane] & 0xff;
    const T ones = count >= kBits<T> ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << count) - 1);
    const T field = from < kBits<T> ? static_cast<T>(ones << from) : T{0};
    const T value = from < kBits<T> ? static_cast<T>(a[lane] << from) : T{0};
    to[lane] = static_cast<T>((b[lane] & ~field) | (value & field));
  });
}

void translate_extract(Translator& t, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  static constexpr TypedHandler kHandlers[]{{"u32", extract_field<U32>},
                                            {"u64", extract_field<U64>},
                                            {"s32", extract_field<std::int32_t>},
                                            {"s64", extract_field<std::int64_t>}};
  t.expect_operands(4);
  const U32 bits = type_bits(match[0]);
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], 32);
  operation.registers[3] = t.source(instruction.operands[3], 32);
  operation.handler = handler_for(kHandlers, match[0]);
}

void translate_insert(Translator& t, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  t.expect_operands(5);
  const U32 bits = type_bits(match[0]);
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.registers[3] = t.source(instruction.operands[3], 32);
  operation.registers[4] = t.source(instruction.operands[4], 32);
  operation.handler = bits == 32 ? insert_field<U32> : insert_field<U64>;
}

// The bits of the mask: `count` ones from `position`.
template <bool kClamp>
struct BitMask {
  U32 operator()(U32 position, U32 count) const {
    if (!kClamp) {
      position &= 31;
      count &= 31;
    }
    if (position > 31 || count == 0) return 0;
    const U32 ones = count > 31 ? ~U32{0} : (U32{1} << count) - 1;
    return ones << position;
  }
};

template <Handler kHandler, std::size_t kSources>
void translate_words(Translator& t, const Instruction& instruction, const Match& /*match*/,
                     Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, 32);
  operation.handler = kHandler;
}

}  // namespace

void add_bit_field_operations(OpcodeTable& table) {
  table.add("lop3.b32", &translate_lop3);
  table.add("bfe.(u32|u64|s32|s64)", &translate_extract);
  table.add("bfi.(b32|b64)", &translate_insert);

  table.add("shf.l.wrap.b32", &translate_words<ternary<U32, U32, FunnelShift<true, false>>, 3>);
  table.add("shf.l.clamp.b32", &translate_words<ternary<U32, U32, FunnelShift<true, true>>, 3>);
  table.add("shf.r.wrap.b32", &translate_words<ternary<U32, U32, FunnelShift<false, false>>, 3>);
  table.add("shf.r.clamp.b32", &translate_words<ternary<U32, U32, FunnelShift<false, true>>, 3>);
  table.add("prmt.b32", &translate_words<ternary<U32, U32, Permute>, 3>);
  using Mode = PermuteMode;
  table.add("prmt.b32.f4e", &translate_words<ternary<U32, U32, PermuteByMode<Mode::kForward4>>, 3>);
  table.add("prmt.b32.b4e",
            &translate_words<ternary<U32, U32, PermuteByMode<Mode::kBackward4>>, 3>);
  table.add("prmt.b32.rc8",
            &translate_words<ternary<U32, U32, PermuteByMode<Mode::kReplicate8>>, 3>);
  table.add("prmt.b32.ecl", &translate_words<ternary<U32, U32, PermuteByMode<Mode::kEdgeLeft>>, 3>);
  table.add("prmt.b32.ecr",
            &translate_words<ternary<U32, U32, PermuteByMode<Mode::kEdgeRight>>, 3>);
  table.add("prmt.b32.rc16",
            &translate_words<ternary<U32, U32, PermuteByMode<Mode::kReplicate16>>, 3>);
  table.add("bmsk.clamp.b32", &translate_words<binary<U32, U32, BitMask<true>>, 2>);
  table.add("bmsk.wrap.b32", &translate_words<binary<U32, U32, BitMask<false>>, 2>);
}

}  // namespace lodestone::ptx
