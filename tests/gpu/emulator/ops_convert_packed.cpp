// cvt to and from pairs of small numbers: f16x2, bf16x2, fp8, and tf32.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;

// Operation::modifiers: how a number is rounded to the format.
enum PackedFlag : U32 { kTowardsZero = 1, kRelu = 2, kSaturateFinite = 4, kTiesAway = 8 };

template <const NumberFormat& kFormat>
U32 packed_bits(double value, U32 flags) {
  if ((flags & kRelu) != 0 && value < 0) value = 0;
  const Rounding rounding = (flags & kTowardsZero) != 0 ? Rounding::kZero
                            : (flags & kTiesAway) != 0  ? Rounding::kNearestAway
                                                        : Rounding::kNearest;
  // .satfinite keeps NaN.
  const bool saturate = (flags & kSaturateFinite) != 0;
  return static_cast<U32>(encode(value, kFormat, rounding, saturate));
}

// d = (a, b): a in the upper half.
template <const NumberFormat& kFormat, class To>
void pack_f32(Warp& warp, const Operation& operation, LaneMask mask) {
  constexpr U32 kHalf = 4 * sizeof(To);
  To* to = warp.lanes<To>(operation.registers[0]);
  const float* a = warp.lanes<float>(operation.registers[1]);
  const float* b = warp.lanes<float>(operation.registers[2]);
  for_lanes(mask, [&](U32 lane) {
    const U32 high = packed_bits<kFormat>(a[lane], operation.modifiers);
    const U32 low = packed_bits<kFormat>(b[lane], operation.modifiers);
    to[lane] = static_cast<To>(high << kHalf | low);
  });
}

// The common case of it, in a loop that vectorises.
template <U16 (*kBits)(float)>
void pack_nearest(Warp& warp, const Operation& operation, LaneMask mask) {
  U32* to = warp.lanes<U32>(operation.registers[0]);
  const float* a = warp.lanes<float>(operation.registers[1]);
  const float* b = warp.lanes<float>(operation.registers[2]);
  for_lanes(mask, [&](U32 lane) { to[lane] = U32{kBits(a[lane])} << 16 | kBits(b[lane]); });
}

template <const NumberFormat& kFormat>
void pack_halves(Warp& warp, const Operation& operation, LaneMask mask) {
  U16* to = warp.lanes<U16>(operation.registers[0]);
  const U32* from = warp.lanes<U32>(operation.registers[1]);
  for_lanes(mask, [&](U32 lane) {
    const U32 high =
        packed_bits<kFormat>(f16_value(static_cast<U16>(from[lane] >> 16)), operation.modifiers);
    const U32 low =
        packed_bits<kFormat>(f16_value(static_cast<U16>(from[lane])), operation.modifiers);
    to[lane] = static_cast<U16>(high << 8 | low);
  });
}

template <const NumberFormat& kFormat>
void unpack_to_halves(Warp& warp, const Operation& operation, LaneMask mask) {
  U32* to = warp.lanes<U32>(operation.registers[0]);
  const U16* from = warp.lanes<U16>(operation.registers[1]);
  const auto half = [&](U32 bits) {
    return packed_bits<kF16>(decode(bits, kFormat), operation.modifiers);
  };
  for_lanes(mask,
            [&](U32 lane) { to[lane] = half(from[lane] >> 8) << 16 | half(from[lane] & 0xff); });
}

// The upper 19 bits of an f32; the others are zero.
void round_to_tf32(Warp& warp, const Operation& operation, LaneMask mask) {
  U32* to = warp.lanes<U32>(operation.registers[0]);
  const float* from = warp.lanes<float>(operation.registers[1]);
  for_lanes(mask, [&](U32 lane) {
    const U32 bits = packed_bits<kTf32>(from[lane], operation.modifiers) << 13;
    to[lane] = std::isnan(from[lane]) ? 0x7fffffff : bits;
  });
}

U32 flag(std::string_view name) {
  if (name == ".rz") return kTowardsZero;
  if (name == ".rna") return kTiesAway;
  if (name == ".relu") return kRelu;
  return name == ".satfinite" ? U32{kSaturateFinite} : 0;
}

U32 flags_of(const Match& match) {
  return flag(match[0]) | flag(match[1]) | flag(match[2]);
}

// Groups: rounding, .relu, .satfinite, the type.
void translate_pack(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const bool is_fp8 = match[3].starts_with('e');
  t.expect_operands(3);
  operation.registers[0] = t.destination(instruction.operands[0], is_fp8 ? 16 : 32);
  operation.registers[1] = t.source(instruction.operands[1], 32);
  operation.registers[2] = t.source(instruction.operands[2], 32);
  operation.modifiers = flags_of(match);
  static constexpr TypedHandler kHandlers[]{{"f16x2", pack_f32<kF16, U32>},
                                            {"bf16x2", pack_f32<kBf16, U32>},
                                            {"e4m3x2", pack_f32<kE4m3, U16>},
                                            {"e5m2x2", pack_f32<kE5m2, U16>}};
  operation.handler = handler_for(kHandlers, match[3]);
  if (operation.modifiers == 0 && match[3] == "f16x2") operation.handler = pack_nearest<f16_bits>;
  if (operation.modifiers == 0 && match[3] == "bf16x2") operation.handler = pack_nearest<bf16_bits>;
}

void translate_pack_halves(Translator& t, const Instruction& instruction, const Match& match,
                           Operation& operation) {
  t.expect_operands(2);
  operation.registers[0] = t.destination(instruction.operands[0], 16);
  operation.registers[1] = t.source(instruction.operands[1], 32);
  operation.modifiers = flags_of(match);
  operation.handler = match[3] == "e4m3x2" ? pack_halves<kE4m3> : pack_halves<kE5m2>;
}

void translate_unpack(Translator& t, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  t.expect_operands(2);
  operation.registers[0] = t.destination(instruction.operands[0], 32);
  operation.registers[1] = t.source(instruction.operands[1], 16);
  operation.modifiers = flags_of(match);
  operation.handler = match[3] == "e4m3x2" ? unpack_to_halves<kE4m3> : unpack_to_halves<kE5m2>;
}

void translate_tf32(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  translate_uniform(t, instruction, operation, 1, 32);
  operation.modifiers = flags_of(match);
  operation.handler = round_to_tf32;
}

}  // namespace

void add_packed_conversions(OpcodeTable& table) {
  table.add("cvt(.rn|.rz)[.relu][.satfinite].(f16x2|bf16x2).f32", &translate_pack);
  table.add("cvt(.rn)(.satfinite)[.relu].(e4m3x2|e5m2x2).f32", &translate_pack);
  table.add("cvt(.rn)(.satfinite)[.relu].(e4m3x2|e5m2x2).f16x2", &translate_pack_halves);
  table.add("cvt(.rn)[.relu][].f16x2.(e4m3x2|e5m2x2)", &translate_unpack);
  table.add("cvt(.rna)[.satfinite][].tf32.f32", &translate_tf32);
  table.add("cvt(.rn|.rz)[.satfinite][.relu].tf32.f32", &translate_tf32);
}

}  // namespace lodestone::ptx
