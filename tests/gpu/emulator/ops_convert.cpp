// cvt between single numbers. Any pair of types goes through Conversion, lane by lane; the common
// pairs have loops of their own, which must give the same bits.
#include <bit>
#include <cmath>
#include <cstdint>

#include "engine/core/check.h"
#include "tests/gpu/emulator/conversion.h"
#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// Operation::modifiers of the general conversion: two kinds by number, and the flags.
enum ConversionFlag : U32 {
  kToIntegral = 1u << 20,
  kFlush = 1u << 21,
  kSaturate = 1u << 22,
  kSaturateFinite = 1u << 23,
  kRelu = 1u << 24,
};

constexpr std::string_view kNames[]{"u8",  "s8",  "u16", "s16",  "u32", "s32",
                                    "u64", "s64", "f16", "bf16", "f32", "f64"};

U32 number_of(std::string_view name) {
  U32 number = 0;
  while (kNames[number] != name) ++number;
  return number;
}

Conversion conversion_of(const Operation& operation) {
  const U32 bits = operation.modifiers;
  Conversion conversion;
  conversion.to = scalar_kind(kNames[bits & 0xff]);
  conversion.from = scalar_kind(kNames[bits >> 8 & 0xff]);
  conversion.rounding = static_cast<Rounding>(bits >> 16 & 0xf);
  conversion.to_integral = (bits & kToIntegral) != 0;
  conversion.flush = (bits & kFlush) != 0;
  conversion.saturate = (bits & kSaturate) != 0;
  conversion.saturate_finite = (bits & kSaturateFinite) != 0;
  conversion.relu = (bits & kRelu) != 0;
  return conversion;
}

// To and From are what the registers hold; they may be wider than the numbers.
template <class To, class From>
void convert(Warp& warp, const Operation& operation, LaneMask mask) {
  To* to = warp.lanes<To>(operation.registers[0]);
  const From* from = warp.lanes<From>(operation.registers[1]);
  const Conversion conversion = conversion_of(operation);
  for (; mask != 0; mask &= mask - 1) {
    const auto lane = static_cast<U32>(std::countr_zero(mask));
    to[lane] = static_cast<To>(conversion(from[lane]));
  }
}

// Integers without saturation: the bits of the source, extended, cut to the destination, extended.
template <class To, class From>
void convert_integers(Warp& warp, const Operation& operation, LaneMask mask) {
  const Conversion conversion = conversion_of(operation);
  To* to = warp.lanes<To>(operation.registers[0]);
  const From* from = warp.lanes<From>(operation.registers[1]);
  const U32 from_shift = 64 - conversion.from->bits, to_shift = 64 - conversion.to->bits;
  const bool from_signed = conversion.from->is_signed, to_signed = conversion.to->is_signed;
  const auto extend = [](U64 value, U32 shift, bool is_signed) {
    const U64 high = value << shift;
    return is_signed ? static_cast<U64>(static_cast<std::int64_t>(high) >> shift) : high >> shift;
  };
  for_lanes(mask, [&](U32 lane) {
    const U64 value = extend(from[lane], from_shift, from_signed);
    to[lane] = static_cast<To>(extend(value, to_shift, to_signed));
  });
}

template <template <class, class> class Kernel>
struct ByWidth {
  template <class To>
  static Handler from(U32 bits) {
    return bits == 8    ? Kernel<To, std::uint8_t>::kHandler
           : bits == 16 ? Kernel<To, U16>::kHandler
           : bits == 32 ? Kernel<To, U32>::kHandler
                        : Kernel<To, U64>::kHandler;
  }
  static Handler of(U32 to_bits, U32 from_bits) {
    return to_bits == 8    ? from<std::uint8_t>(from_bits)
           : to_bits == 16 ? from<U16>(from_bits)
           : to_bits == 32 ? from<U32>(from_bits)
                           : from<U64>(from_bits);
  }
};
template <class To, class From>
struct GeneralKernel {
  static constexpr Handler kHandler = convert<To, From>;
};
template <class To, class From>
struct IntegerKernel {
  static constexpr Handler kHandler = convert_integers<To, From>;
};

// The common pairs.
template <class To>
struct Cast {
  template <class From>
  To operator()(From value) const {
    return static_cast<To>(value);
  }
};
struct FromBf16 {
  float operator()(U16 bits) const { return bf16_value(bits); }
};
struct FromF16 {
  float operator()(U16 bits) const { return f16_value(bits); }
};
struct ToBf16 {
  U16 operator()(float value) const { return bf16_bits(value); }
};
struct ToF16 {
  U16 operator()(float value) const { return f16_bits(value); }
};
struct Copy {
  float operator()(float value) const { return value; }
};
struct Narrow {
  float operator()(double value) const {
    return value == value ? static_cast<float>(value) : kNan32;
  }
};
struct Nearest {
  float operator()(float value) const { return __builtin_nearbyintf(value); }
};
struct Truncate {
  float operator()(float value) const { return __builtin_truncf(value); }
};
struct Floor {
  float operator()(float value) const { return __builtin_floorf(value); }
};
struct Ceiling {
  float operator()(float value) const { return __builtin_ceilf(value); }
};
// Clamped to what an int holds; NaN is zero.
template <class Round>
struct ToInteger {
  std::int32_t operator()(float value) const {
    const float whole = Round{}(value);
    const float low = whole > -0x1p31f ? whole : -0x1p31f;
    const bool large = low >= 0x1p31f, is_number = value == value;
    const auto result = static_cast<std::int32_t>(large || !is_number ? 0.0f : low);
    return !is_number ? 0 : large ? 0x7fffffff : result;
  }
};

struct CommonConversion {
  std::string_view opcode;
  Handler handler = nullptr;
};

constexpr CommonConversion kCommon[]{
    {"cvt.rn.f32.s32", unary<float, std::int32_t, Cast<float>>},
    {"cvt.rn.f32.u32", unary<float, U32, Cast<float>>},
    {"cvt.rn.f32.s64", unary<float, std::int64_t, Cast<float>>},
    {"cvt.rn.f32.u64", unary<float, U64, Cast<float>>},
    {"cvt.rn.f64.s32", unary<double, std::int32_t, Cast<double>>},
    {"cvt.rn.f64.u32", unary<double, U32, Cast<double>>},
    {"cvt.rn.f64.s64", unary<double, std::int64_t, Cast<double>>},
    {"cvt.rn.f64.u64", unary<double, U64, Cast<double>>},
    {"cvt.f64.f32", unary<double, float, Cast<double>>},
    {"cvt.rn.f32.f64", unary<float, double, Narrow>},
    {"cvt.sat.f32.f32", float_lanes<Copy, float, 1, false, true>},
    {"cvt.f32.f16", unary<float, U16, FromF16>},
    {"cvt.f32.bf16", unary<float, U16, FromBf16>},
    {"cvt.rn.f16.f32", unary<U16, float, ToF16>},
    {"cvt.rn.bf16.f32", unary<U16, float, ToBf16>},
    {"cvt.rni.f32.f32", float_lanes<Nearest, float, 1, false, false>},
    {"cvt.rzi.f32.f32", float_lanes<Truncate, float, 1, false, false>},
    {"cvt.rmi.f32.f32", float_lanes<Floor, float, 1, false, false>},
    {"cvt.rpi.f32.f32", float_lanes<Ceiling, float, 1, false, false>},
    {"cvt.rni.s32.f32", unary<std::int32_t, float, ToInteger<Nearest>>},
    {"cvt.rzi.s32.f32", unary<std::int32_t, float, ToInteger<Truncate>>},
    {"cvt.rmi.s32.f32", unary<std::int32_t, float, ToInteger<Floor>>},
    {"cvt.rpi.s32.f32", unary<std::int32_t, float, ToInteger<Ceiling>>},
};

U32 rounding_bits(std::string_view name) {
  Rounding rounding = Rounding::kNearest;
  if (name.starts_with(".rz")) rounding = Rounding::kZero;
  if (name.starts_with(".rm")) rounding = Rounding::kDown;
  if (name.starts_with(".rp")) rounding = Rounding::kUp;
  return static_cast<U32>(rounding) << 16 | (name.ends_with("i") ? U32{kToIntegral} : 0);
}

U32 flag_bits(std::string_view name) {
  if (name == ".ftz") return kFlush;
  if (name == ".sat") return kSaturate;
  if (name == ".satfinite") return kSaturateFinite;
  if (name == ".relu") return kRelu;
  return 0;
}

Handler handler_of(std::string_view opcode, const Operation& operation, U32 to_bits,
                   U32 from_bits) {
  const Conversion conversion = conversion_of(operation);
  const bool integers = conversion.to->format == nullptr && conversion.from->format == nullptr;
  if (integers && !conversion.saturate) return ByWidth<IntegerKernel>::of(to_bits, from_bits);
  if (to_bits == conversion.to->bits && from_bits == conversion.from->bits) {
    for (const CommonConversion& each : kCommon) {
      if (each.opcode == opcode) return each.handler;
    }
  }
  return ByWidth<GeneralKernel>::of(to_bits, from_bits);
}

// Groups of the form: rounding, two flags, destination type, source type.
void translate_convert(Translator& t, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  t.expect_operands(2);
  operation.modifiers = number_of(match[3]) | number_of(match[4]) << 8 | rounding_bits(match[0]) |
                        flag_bits(match[1]) | flag_bits(match[2]);
  const ScalarKind& to = *scalar_kind(match[3]);
  const ScalarKind& from = *scalar_kind(match[4]);
  const U32 to_bits = t.width(instruction.operands[0], to.bits);
  const U32 from_bits = t.width(instruction.operands[1], from.bits);
  const bool to_fits = to.format != nullptr ? to_bits == to.bits : to_bits >= to.bits;
  const bool from_fits = from.format != nullptr ? from_bits == from.bits : from_bits >= from.bits;
  if (!to_fits || !from_fits) t.refuse("a register does not fit its type");
  operation.registers[0] = t.destination(instruction.operands[0], to_bits);
  operation.registers[1] = t.source(instruction.operands[1], from_bits);
  operation.handler = handler_of(instruction.opcode, operation, to_bits, from_bits);
}

}  // namespace

void add_conversions(OpcodeTable& table) {
  const std::string integer = "(u8|s8|u16|s16|u32|s32|u64|s64)";
  const std::string rounding = "(.rn|.rz|.rm|.rp)";
  const std::string integral = "(.rni|.rzi|.rmi|.rpi)";
  table.add("cvt[][][.sat]." + integer + "." + integer, &translate_convert);
  table.add("cvt" + rounding + "[][.sat].(f16|f32|f64)." + integer, &translate_convert);
  table.add("cvt" + rounding + "[][].(bf16)." + integer, &translate_convert);
  table.add("cvt" + integral + "[.ftz][.sat]." + integer + ".(f32)", &translate_convert);
  table.add("cvt" + integral + "[][.sat]." + integer + ".(f16|bf16|f64)", &translate_convert);
  // To fewer bits.
  table.add("cvt" + rounding + "[.ftz][.sat].(f32).(f64)", &translate_convert);
  table.add("cvt" + rounding + "[.ftz][.sat].(f16).(f32|f64)", &translate_convert);
  table.add("cvt(.rn|.rz)[.relu][.satfinite].(f16|bf16).(f32)", &translate_convert);
  table.add("cvt(.rm|.rp)[][].(bf16).(f32)", &translate_convert);
  table.add("cvt" + rounding + "[][].(bf16).(f16|f64)", &translate_convert);
  table.add("cvt" + rounding + "[][].(f16).(bf16)", &translate_convert);
  // To more bits, or the same.
  table.add("cvt[][.ftz][.sat].(f32).(f16)", &translate_convert);
  table.add("cvt[][.ftz][].(f32).(bf16)", &translate_convert);
  table.add("cvt[][.ftz][.sat].(f64).(f32)", &translate_convert);
  table.add("cvt[][][.sat].(f64).(f16)", &translate_convert);
  table.add("cvt[][][].(f64).(bf16)", &translate_convert);
  table.add("cvt[.rni|.rzi|.rmi|.rpi][.ftz][.sat].(f32).(f32)", &translate_convert);
  table.add("cvt[.rni|.rzi|.rmi|.rpi][][.sat].(f64).(f64)", &translate_convert);
  table.add("cvt[.rni|.rzi|.rmi|.rpi][][.sat].(f16).(f16)", &translate_convert);
  table.add("cvt[.rni|.rzi|.rmi|.rpi][][].(bf16).(bf16)", &translate_convert);
}

}  // namespace lodestone::ptx
