// Bits: logic, shifts, counts.
#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

template <class T>
constexpr U32 kBits = 8 * sizeof(T);

struct And {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
// cnot: 1 for zero, otherwise 0.
struct IsZero {
  template <class T>
  T operator()(T a) const {
    return a == 0 ? 1 : 0;
  }
};

// Of a predicate, all lanes at once.
template <class Function>
void predicate_binary(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask value =
      Function{}(warp.predicate(operation.registers[1]), warp.predicate(operation.registers[2]));
  warp.set_predicate(operation.registers[0], value, mask);
}

void predicate_not(Warp& warp, const Operation& operation, LaneMask mask) {
  warp.set_predicate(operation.registers[0], ~warp.predicate(operation.registers[1]), mask);
}

template <class Function>
void translate_logic(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  static constexpr TypedHandler kHandlers[]{{"pred", predicate_binary<Function>},
                                            {"b16", binary<U16, U16, Function>},
                                            {"b32", binary<U32, U32, Function>},
                                            {"b64", binary<U64, U64, Function>}};
  translate_uniform(t, instruction, operation, 2, type_bits(match[0]));
  operation.handler = handler_for(kHandlers, match[0]);
}

template <class Function>
void translate_unary_logic(Translator& t, const Instruction& instruction, const Match& match,
                           Operation& operation) {
  static constexpr TypedHandler kHandlers[]{{"pred", predicate_not},
                                            {"b16", unary<U16, U16, Function>},
                                            {"b32", unary<U32, U32, Function>},
                                            {"b64", unary<U64, U64, Function>}};
  translate_uniform(t, instruction, operation, 1, type_bits(match[0]));
  operation.handler = handler_for(kHandlers, match[0]);
}

// Shift amounts have 32 bits and are not taken modulo the width: larger ones shift everything out.
template <class T>
void shift_left(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const U32* amount = warp.lanes<U32>(operation.registers[2]);
  for_lanes(mask, [&](U32 lane) {
    const U32 by = amount[lane];
    const T shifted = static_cast<T>(static_cast<U64>(a[lane]) << (by & 63));
    to[lane] = by < kBits<T> ? shifted : T{0};
  });
}

template <class T>
void shift_right(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const U32* amount = warp.lanes<U32>(operation.registers[2]);
  for_lanes(mask, [&](U32 lane) {
    const U32 by = amount[lane];
    const U32 within = by < kBits<T> ? by : kBits<T> - 1;
    const T shifted = static_cast<T>(a[lane] >> within);
    to[lane] = by < kBits<T> || std::is_signed_v<T> ? shifted : T{0};
  });
}

void translate_shift(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  static constexpr TypedHandler kHandlers[]{
      {"shl.b16", shift_left<U16>},           {"shl.b32", shift_left<U32>},
      {"shl.b64", shift_left<U64>},           {"shr.b16", shift_right<U16>},
      {"shr.b32", shift_right<U32>},          {"shr.b64", shift_right<U64>},
      {"shr.u16", shift_right<U16>},          {"shr.u32", shift_right<U32>},
      {"shr.u64", shift_right<U64>},          {"shr.s16", shift_right<std::int16_t>},
      {"shr.s32", shift_right<std::int32_t>}, {"shr.s64", shift_right<std::int64_t>}};
  t.expect_operands(3);
  const U32 bits = type_bits(match[0]);
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], 32);
  operation.handler = handler_for(kHandlers, instruction.opcode);
}

struct CountOnes {
  template <class T>
  U32 operator()(T a) const {
    return static_cast<U32>(std::popcount(a));
  }
};
struct CountLeadingZeros {
  template <class T>
  U32 operator()(T a) const {
    return static_cast<U32>(std::countl_zero(a));
  }
};
struct Reverse {
  template <class T>
  T operator()(T a) const {
    T result = 0;
    for (U32 i = 0; i < kBits<T>; ++i) result |= (a >> i & 1) << (kBits<T> - 1 - i);
    return result;
  }
};
// The place of the highest bit that differs from the sign; all ones where there is none.
template <class T, bool kShiftAmount>
struct FindLeading {
  U32 operator()(T a) const {
    using U = std::make_unsigned_t<T>;
    const U value = a < 0 ? static_cast<U>(~static_cast<U>(a)) : static_cast<U>(a);
    if (value == 0) return ~U32{0};
    const auto zeros = static_cast<U32>(std::countl_zero(value));
    return kShiftAmount ? zeros : kBits<T> - 1 - zeros;
  }
};

// 32 bits of result, whatever the source has.
void translate_count(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  static constexpr TypedHandler kHandlers[]{
      {"popc.b32", unary<U32, U32, CountOnes>},
      {"popc.b64", unary<U32, U64, CountOnes>},
      {"clz.b32", unary<U32, U32, CountLeadingZeros>},
      {"clz.b64", unary<U32, U64, CountLeadingZeros>},
      {"bfind.u32", unary<U32, U32, FindLeading<U32, false>>},
      {"bfind.u64", unary<U32, U64, FindLeading<U64, false>>},
      {"bfind.s32", unary<U32, std::int32_t, FindLeading<std::int32_t, false>>},
      {"bfind.s64", unary<U32, std::int64_t, FindLeading<std::int64_t, false>>},
      {"bfind.shiftamt.u32", unary<U32, U32, FindLeading<U32, true>>},
      {"bfind.shiftamt.u64", unary<U32, U64, FindLeading<U64, true>>},
      {"bfind.shiftamt.s32", unary<U32, std::int32_t, FindLeading<std::int32_t, true>>},
      {"bfind.shiftamt.s64", unary<U32, std::int64_t, FindLeading<std::int64_t, true>>}};
  t.expect_operands(2);
  operation.registers[0] = t.destination(instruction.operands[0], 32);
  operation.registers[1] = t.source(instruction.operands[1], type_bits(match[0]));
  operation.handler = handler_for(kHandlers, instruction.opcode);
}

void translate_reverse(Translator& t, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  const U32 bits = type_bits(match[0]);
  translate_uniform(t, instruction, operation, 1, bits);
  operation.handler = bits == 32 ? unary<U32, U32, Reverse> : unary<U64, U64, Reverse>;
}

}  // namespace

void add_bit_operations(OpcodeTable& table) {
  table.add("and.(pred|b16|b32|b64)", &translate_logic<And>);
  table.add("or.(pred|b16|b32|b64)", &translate_logic<Or>);
  table.add("xor.(pred|b16|b32|b64)", &translate_logic<Xor>);
  table.add("not.(pred|b16|b32|b64)", &translate_unary_logic<Not>);
  table.add("cnot.(b16|b32|b64)", &translate_unary_logic<IsZero>);
  table.add("shl.(b16|b32|b64)", &translate_shift);
  table.add("shr.(b16|b32|b64|u16|u32|u64|s16|s32|s64)", &translate_shift);
  table.add("popc.(b32|b64)", &translate_count);
  table.add("clz.(b32|b64)", &translate_count);
  table.add("bfind[.shiftamt].(u32|u64|s32|s64)",
            [](Translator& t, const Instruction& i, const Match& match, Operation& operation) {
              translate_count(t, i, match.from(1), operation);
            });
  table.add("brev.(b32|b64)", &translate_reverse);
}

}  // namespace lodestone::ptx
