// Integer arithmetic: add, sub, mul, mad, div, rem, min, max, abs, neg, sad, dot products of bytes.
#include <cstdint>
#include <limits>
#include <type_traits>

#include "engine/core/check.h"
#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

__extension__ using Int128 = __int128;
__extension__ using Unsigned128 = unsigned __int128;

template <class T>
using Unsigned = std::make_unsigned_t<T>;

// Wraps around, in signed types too.
struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
  }
};
// Products of 16 bits are formed in 32: in `int` they would overflow.
struct MultiplyLow {
  template <class T>
  T operator()(T a, T b) const {
    using Wide = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b));
  }
};
struct MultiplyHigh {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 8) {
      using Wide = std::conditional_t<std::is_signed_v<T>, Int128, Unsigned128>;
      return static_cast<T>((Wide{a} * Wide{b}) >> 64);
    } else {
      using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
      return static_cast<T>((Wide{a} * Wide{b}) >> (8 * sizeof(T)));
    }
  }
};
template <class Wide>
struct MultiplyWide {
  template <class T>
  Wide operator()(T a, T b) const {
    return static_cast<Wide>(static_cast<Wide>(a) * static_cast<Wide>(b));
  }
};
template <class Multiply>
struct MultiplyAdd {
  template <class T, class To>
  To operator()(T a, T b, To c) const {
    return Add{}(static_cast<To>(Multiply{}(a, b)), c);
  }
};
struct AddSaturating {
  std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return clamp(std::int64_t{a} + b);
  }
  static std::int32_t clamp(std::int64_t value) {
    constexpr std::int64_t kLeast = std::numeric_limits<std::int32_t>::min();
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int32_t>(value < kLeast ? kLeast : value > kMost ? kMost : value);
  }
};
struct SubtractSaturating {
  std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return AddSaturating::clamp(std::int64_t{a} - b);
  }
};
struct MultiplyHighAddSaturating {
  std::int32_t operator()(std::int32_t a, std::int32_t b, std::int32_t c) const {
    return AddSaturating{}(MultiplyHigh{}(a, b), c);
  }
};
// By zero, the device gives all ones; the least number by -1, itself.
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return static_cast<T>(~T{0});
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return Subtract{}(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  }
};
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Negate {
  template <class T>
  T operator()(T a) const {
    return Subtract{}(T{0}, a);
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    return a < 0 ? Negate{}(a) : a;
  }
};
// |a - b| + c
struct SumOfAbsoluteDifferences {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add{}(a < b ? Subtract{}(b, a) : Subtract{}(a, b), c);
  }
};
// The low 24 bits of each factor.
template <class T>
struct Multiply24 {
  T operator()(T a, T b) const { return MultiplyLow{}(low24(a), low24(b)); }
  static T low24(T value) {
    return static_cast<T>(static_cast<T>(static_cast<std::uint32_t>(value) << 8) >> 8);
  }
};
// Two halves of a word, each by itself.
template <class Half, class Function>
struct InHalves {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const {
    const auto low = Function{}(static_cast<Half>(a), static_cast<Half>(b));
    const auto high = Function{}(static_cast<Half>(a >> 16), static_cast<Half>(b >> 16));
    return std::uint32_t{static_cast<std::uint16_t>(low)} |
           std::uint32_t{static_cast<std::uint16_t>(high)} << 16;
  }
};
// Four products of bytes, added to c.
template <class A, class B>
struct DotOfBytes {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c) const {
    for (int i = 0; i < 32; i += 8) {
      const int product = static_cast<A>(a >> i) * static_cast<B>(b >> i);
      c += static_cast<std::uint32_t>(product);
    }
    return c;
  }
};
// Two products of 16 bits by bytes, the low or the high ones of b.
template <class A, class B, int kShift>
struct DotOfHalves {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c) const {
    for (int i = 0; i < 2; ++i) {
      const int product = static_cast<A>(a >> (16 * i)) * static_cast<B>(b >> (kShift + 8 * i));
      c += static_cast<std::uint32_t>(product);
    }
    return c;
  }
};

template <class Function>
Handler binary_of(std::string_view type) {
  static constexpr TypedHandler kHandlers[]{
      {"u16", binary<std::uint16_t, std::uint16_t, Function>},
      {"u32", binary<std::uint32_t, std::uint32_t, Function>},
      {"u64", binary<std::uint64_t, std::uint64_t, Function>},
      {"s16", binary<std::int16_t, std::int16_t, Function>},
      {"s32", binary<std::int32_t, std::int32_t, Function>},
      {"s64", binary<std::int64_t, std::int64_t, Function>},
  };
  return handler_for(kHandlers, type);
}

template <class Function>
Handler ternary_of(std::string_view type) {
  static constexpr TypedHandler kHandlers[]{
      {"u16", ternary<std::uint16_t, std::uint16_t, Function>},
      {"u32", ternary<std::uint32_t, std::uint32_t, Function>},
      {"u64", ternary<std::uint64_t, std::uint64_t, Function>},
      {"s16", ternary<std::int16_t, std::int16_t, Function>},
      {"s32", ternary<std::int32_t, std::int32_t, Function>},
      {"s64", ternary<std::int64_t, std::int64_t, Function>},
  };
  return handler_for(kHandlers, type);
}

template <class Function>
Handler unary_of(std::string_view type) {
  static constexpr TypedHandler kHandlers[]{
      {"s16", unary<std::int16_t, std::int16_t, Function>},
      {"s32", unary<std::int32_t, std::int32_t, Function>},
      {"s64", unary<std::int64_t, std::int64_t, Function>},
  };
  return handler_for(kHandlers, type);
}

// op.type d, a, b
template <class Function>
void translate_binary(Translator& t, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  translate_uniform(t, instruction, operation, 2, type_bits(match[0]));
  operation.handler = binary_of<Function>(match[0]);
}

template <class Function>
void translate_ternary(Translator& t, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  translate_uniform(t, instruction, operation, 3, type_bits(match[0]));
  operation.handler = ternary_of<Function>(match[0]);
}

template <class Function>
void translate_unary(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  translate_uniform(t, instruction, operation, 1, type_bits(match[0]));
  operation.handler = unary_of<Function>(match[0]);
}

// An operation of one type, without choices in its name.
template <Handler kHandler, std::size_t kSources, std::uint32_t kBits>
void translate_as(Translator& t, const Instruction& instruction, const Match& /*match*/,
                  Operation& operation) {
  translate_uniform(t, instruction, operation, kSources, kBits);
  operation.handler = kHandler;
}

void translate_multiply_wide(Translator& t, const Instruction& instruction, const Match& match,
                             Operation& operation) {
  static constexpr TypedHandler kHandlers[]{
      {"u16", binary<std::uint32_t, std::uint16_t, MultiplyWide<std::uint32_t>>},
      {"u32", binary<std::uint64_t, std::uint32_t, MultiplyWide<std::uint64_t>>},
      {"s16", binary<std::int32_t, std::int16_t, MultiplyWide<std::int32_t>>},
      {"s32", binary<std::int64_t, std::int32_t, MultiplyWide<std::int64_t>>},
  };
  const std::uint32_t bits = type_bits(match[0]);
  t.expect_operands(3);
  operation.registers[0] = t.destination(instruction.operands[0], 2 * bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.handler = handler_for(kHandlers, match[0]);
}

void translate_multiply_add_wide(Translator& t, const Instruction& instruction, const Match& match,
                                 Operation& operation) {
  using Narrow = MultiplyAdd<MultiplyWide<std::uint32_t>>;
  using Wide = MultiplyAdd<MultiplyWide<std::uint64_t>>;
  using SignedNarrow = MultiplyAdd<MultiplyWide<std::int32_t>>;
  using SignedWide = MultiplyAdd<MultiplyWide<std::int64_t>>;
  static constexpr TypedHandler kHandlers[]{
      {"u16", ternary<std::uint32_t, std::uint16_t, Narrow>},
      {"u32", ternary<std::uint64_t, std::uint32_t, Wide>},
      {"s16", ternary<std::int32_t, std::int16_t, SignedNarrow>},
      {"s32", ternary<std::int64_t, std::int32_t, SignedWide>},
  };
  const std::uint32_t bits = type_bits(match[0]);
  t.expect_operands(4);
  operation.registers[0] = t.destination(instruction.operands[0], 2 * bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.registers[3] = t.source(instruction.operands[3], 2 * bits);
  operation.handler = handler_for(kHandlers, match[0]);
}

using S32 = std::int32_t;
using U32 = std::uint32_t;

void add_dot_products(OpcodeTable& table) {
  using S8 = std::int8_t;
  using U8 = std::uint8_t;
  using S16 = std::int16_t;
  using U16 = std::uint16_t;
  table.add("dp4a.u32.u32", &translate_as<ternary<U32, U32, DotOfBytes<U8, U8>>, 3, 32>);
  table.add("dp4a.u32.s32", &translate_as<ternary<U32, U32, DotOfBytes<U8, S8>>, 3, 32>);
  table.add("dp4a.s32.u32", &translate_as<ternary<U32, U32, DotOfBytes<S8, U8>>, 3, 32>);
  table.add("dp4a.s32.s32", &translate_as<ternary<U32, U32, DotOfBytes<S8, S8>>, 3, 32>);
  table.add("dp2a.lo.u32.u32", &translate_as<ternary<U32, U32, DotOfHalves<U16, U8, 0>>, 3, 32>);
  table.add("dp2a.hi.u32.u32", &translate_as<ternary<U32, U32, DotOfHalves<U16, U8, 16>>, 3, 32>);
  table.add("dp2a.lo.s32.s32", &translate_as<ternary<U32, U32, DotOfHalves<S16, S8, 0>>, 3, 32>);
  table.add("dp2a.hi.s32.s32", &translate_as<ternary<U32, U32, DotOfHalves<S16, S8, 16>>, 3, 32>);
}

void add_halves(OpcodeTable& table) {
  using S16 = std::int16_t;
  using U16 = std::uint16_t;
  table.add("add.u16x2", &translate_as<binary<U32, U32, InHalves<U16, Add>>, 2, 32>);
  table.add("add.s16x2", &translate_as<binary<U32, U32, InHalves<S16, Add>>, 2, 32>);
  table.add("min.u16x2", &translate_as<binary<U32, U32, InHalves<U16, Minimum>>, 2, 32>);
  table.add("min.s16x2", &translate_as<binary<U32, U32, InHalves<S16, Minimum>>, 2, 32>);
  table.add("max.u16x2", &translate_as<binary<U32, U32, InHalves<U16, Maximum>>, 2, 32>);
  table.add("max.s16x2", &translate_as<binary<U32, U32, InHalves<S16, Maximum>>, 2, 32>);
}

}  // namespace

void add_integer_operations(OpcodeTable& table) {
  table.add("add.(u16|u32|u64|s16|s32|s64)", &translate_binary<Add>);
  table.add("sub.(u16|u32|u64|s16|s32|s64)", &translate_binary<Subtract>);
  table.add("mul.lo.(u16|u32|u64|s16|s32|s64)", &translate_binary<MultiplyLow>);
  table.add("mul.hi.(u16|u32|u64|s16|s32|s64)", &translate_binary<MultiplyHigh>);
  table.add("div.(u16|u32|u64|s16|s32|s64)", &translate_binary<Divide>);
  table.add("rem.(u16|u32|u64|s16|s32|s64)", &translate_binary<Remainder>);
  table.add("min.(u16|u32|u64|s16|s32|s64)", &translate_binary<Minimum>);
  table.add("max.(u16|u32|u64|s16|s32|s64)", &translate_binary<Maximum>);
  table.add("mad.lo.(u16|u32|u64|s16|s32|s64)", &translate_ternary<MultiplyAdd<MultiplyLow>>);
  table.add("mad.hi.(u16|u32|u64|s16|s32|s64)", &translate_ternary<MultiplyAdd<MultiplyHigh>>);
  table.add("sad.(u16|u32|u64|s16|s32|s64)", &translate_ternary<SumOfAbsoluteDifferences>);
  table.add("neg.(s16|s32|s64)", &translate_unary<Negate>);
  table.add("abs.(s16|s32|s64)", &translate_unary<Absolute>);
  table.add("mul.wide.(u16|u32|s16|s32)", &translate_multiply_wide);
  table.add("mad.wide.(u16|u32|s16|s32)", &translate_multiply_add_wide);
  table.add("add.sat.s32", &translate_as<binary<S32, S32, AddSaturating>, 2, 32>);
  table.add("sub.sat.s32", &translate_as<binary<S32, S32, SubtractSaturating>, 2, 32>);
  table.add("mad.hi.sat.s32", &translate_as<ternary<S32, S32, MultiplyHighAddSaturating>, 3, 32>);
  table.add("mul24.lo.u32", &translate_as<binary<U32, U32, Multiply24<U32>>, 2, 32>);
  table.add("mul24.lo.s32", &translate_as<binary<S32, S32, Multiply24<S32>>, 2, 32>);
  table.add("mad24.lo.u32", &translate_as<ternary<U32, U32, MultiplyAdd<Multiply24<U32>>>, 3, 32>);
  table.add("mad24.lo.s32", &translate_as<ternary<S32, S32, MultiplyAdd<Multiply24<S32>>>, 3, 32>);
  add_dot_products(table);
  add_halves(table);
}

}  // namespace lodestone::ptx
