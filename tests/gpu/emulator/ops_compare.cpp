// Comparisons: setp, set.
#include <cmath>
#include <cstdint>
#include <utility>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

enum class Comparison : U32 {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  // True also when one is NaN.
  kEqualOrNan,
  kNotEqualOrNan,
  kLessOrNan,
  kLessEqualOrNan,
  kGreaterOrNan,
  kGreaterEqualOrNan,
  kBothNumbers,
  kSomeNan,
};

// `ne` of numbers is false with a NaN; of integers the two kinds are the same.
Comparison comparison_named(std::string_view name) {
  using enum Comparison;
  constexpr std::pair<std::string_view, Comparison> kNames[]{
      {"eq", kEqual},         {"ne", kNotEqual},
      {"lt", kLess},          {"le", kLessEqual},
      {"gt", kGreater},       {"ge", kGreaterEqual},
      {"lo", kLess},          {"ls", kLessEqual},
      {"hi", kGreater},       {"hs", kGreaterEqual},
      {"equ", kEqualOrNan},   {"neu", kNotEqualOrNan},
      {"ltu", kLessOrNan},    {"leu", kLessEqualOrNan},
      {"gtu", kGreaterOrNan}, {"geu", kGreaterEqualOrNan},
      {"num", kBothNumbers},  {"nan", kSomeNan}};
  for (const auto& [known, comparison] : kNames) {
    if (known == name) return comparison;
  }
  return kEqual;
}

template <class T, class Compare>
LaneMask mask_of(const T* a, const T* b, Compare compare) {
  LaneMask result = 0;
  for (U32 lane = 0; lane < kLanes; ++lane) {
    result |= LaneMask{compare(a[lane], b[lane])} << lane;
  }
  return result;
}

template <class T>
LaneMask compare_lanes(Comparison comparison, const T* a, const T* b) {
  switch (comparison) {
    case Comparison::kEqual:
      return mask_of(a, b, [](T x, T y) { return x == y; });
    case Comparison::kNotEqual:
      return mask_of(a, b, [](T x, T y) { return x < y || x > y; });
    case Comparison::kLess:
      return mask_of(a, b, [](T x, T y) { return x < y; });
    case Comparison::kLessEqual:
      return mask_of(a, b, [](T x, T y) { return x <= y; });
    case Comparison::kGreater:
      return mask_of(a, b, [](T x, T y) { return x > y; });
    case Comparison::kGreaterEqual:
      return mask_of(a, b, [](T x, T y) { return x >= y; });
    case Comparison::kEqualOrNan:
      return mask_of(a, b, [](T x, T y) { return !(x < y || x > y); });
    case Comparison::kNotEqualOrNan:
      return mask_of(a, b, [](T x, T y) { return x != y; });
    case Comparison::kLessOrNan:
      return mask_of(a, b, [](T x, T y) { return !(x >= y); });
    case Comparison::kLessEqualOrNan:
      return mask_of(a, b, [](T x, T y) { return !(x > y); });
    case Comparison::kGreaterOrNan:
      return mask_of(a, b, [](T x, T y) { return !(x <= y); });
    case Comparison::kGreaterEqualOrNan:
      return mask_of(a, b, [](T x, T y) { return !(x < y); });
    case Comparison::kBothNumbers:
      return mask_of(a, b, [](T x, T y) { return x == x && y == y; });
    case Comparison::kSomeNan:
      return mask_of(a, b, [](T x, T y) { return x != x || y != y; });
  }
  return 0;
}

// How a comparison of one type reads its operands.
using CompareWarp = LaneMask (*)(const Warp&, const Operation&, Comparison);

template <class T>
LaneMask compare_registers(const Warp& warp, const Operation& operation, Comparison comparison) {
  return compare_lanes(comparison, warp.lanes<T>(operation.registers[1]),
                       warp.lanes<T>(operation.registers[2]));
}

template <float (*kValue)(float)>
LaneMask compare_f32(const Warp& warp, const Operation& operation, Comparison comparison) {
  const float* a = warp.lanes<float>(operation.registers[1]);
  const float* b = warp.lanes<float>(operation.registers[2]);
  float x[kLanes], y[kLanes];
  for (U32 lane = 0; lane < kLanes; ++lane) {
    x[lane] = kValue(a[lane]);
    y[lane] = kValue(b[lane]);
  }
  return compare_lanes(comparison, x, y);
}

// One 16-bit part of each lane, of `kParts`.
template <float (*kValue)(U16), U32 kParts, U32 kPart>
LaneMask compare_half(const Warp& warp, const Operation& operation, Comparison comparison) {
  const U16* a = warp.lanes<U16>(operation.registers[1]);
  const U16* b = warp.lanes<U16>(operation.registers[2]);
  float x[kLanes], y[kLanes];
  for (U32 lane = 0; lane < kLanes; ++lane) {
    x[lane] = kValue(a[lane * kParts + kPart]);
    y[lane] = kValue(b[lane * kParts + kPart]);
  }
  return compare_lanes(comparison, x, y);
}

// Operation::modifiers: the comparison, then how the third predicate is combined.
enum class Combination : U32 { kNone, kAnd, kOr, kXor };
constexpr U32 kCombinationShift = 8;
constexpr U32 kNegatedBit = 1u << 16;  // the third predicate is taken negated

Comparison comparison_of(const Operation& operation) {
  return static_cast<Comparison>(operation.modifiers & 0xff);
}

LaneMask combined(const Warp& warp, const Operation& operation, LaneMask value) {
  const auto combination =
      static_cast<Combination>(operation.modifiers >> kCombinationShift & 0xff);
  if (combination == Combination::kNone) return value;
  LaneMask third = warp.predicate(operation.registers[3]);
  if ((operation.modifiers & kNegatedBit) != 0) third = ~third;
  switch (combination) {
    case Combination::kAnd:
      return value & third;
    case Combination::kOr:
      return value | third;
    default:
      return value ^ third;
  }
}

void read_combination(Translator& t, const Instruction& instruction, std::string_view name,
                      Operation& operation) {
  if (name.empty()) return t.expect_operands(3);
  t.expect_operands(4);
  const auto combination = name == ".and"  ? Combination::kAnd
                           : name == ".or" ? Combination::kOr
                                           : Combination::kXor;
  operation.modifiers |= static_cast<U32>(combination) << kCombinationShift;
  const auto [place, negated] = t.predicate(instruction.operands[3]);
  operation.registers[3] = place;
  if (negated) operation.modifiers |= kNegatedBit;
}

// The second predicate is what the first would be with the comparison inverted.
template <CompareWarp kCompare>
void set_predicates(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask value = kCompare(warp, operation, comparison_of(operation));
  const LaneMask inverse = combined(warp, operation, ~value);
  warp.set_predicate(operation.registers[0], combined(warp, operation, value), mask);
  if (operation.registers[4] != kNone) warp.set_predicate(operation.registers[4], inverse, mask);
}

// Of pairs: one predicate for each half.
template <float (*kValue)(U16)>
void set_pair_of_predicates(Warp& warp, const Operation& operation, LaneMask mask) {
  const Comparison comparison = comparison_of(operation);
  const LaneMask low = compare_half<kValue, 2, 0>(warp, operation, comparison);
  const LaneMask high = compare_half<kValue, 2, 1>(warp, operation, comparison);
  const LaneMask second = combined(warp, operation, high);
  warp.set_predicate(operation.registers[0], combined(warp, operation, low), mask);
  warp.set_predicate(operation.registers[4], second, mask);
}

Handler setp_handler(std::string_view type, bool flushes) {
  if (flushes && type == "f32") return set_predicates<compare_f32<flush>>;
  static constexpr TypedHandler kHandlers[]{
      {"b16", set_predicates<compare_registers<U16>>},
      {"b32", set_predicates<compare_registers<U32>>},
      {"b64", set_predicates<compare_registers<U64>>},
      {"u16", set_predicates<compare_registers<U16>>},
      {"u32", set_predicates<compare_registers<U32>>},
      {"u64", set_predicates<compare_registers<U64>>},
      {"s16", set_predicates<compare_registers<std::int16_t>>},
      {"s32", set_predicates<compare_registers<std::int32_t>>},
      {"s64", set_predicates<compare_registers<std::int64_t>>},
      {"f32", set_predicates<compare_registers<float>>},
      {"f64", set_predicates<compare_registers<double>>},
      {"f16", set_predicates<compare_half<f16_value, 1, 0>>},
      {"bf16", set_predicates<compare_half<bf16_value, 1, 0>>},
      {"f16x2", set_pair_of_predicates<f16_value>},
      {"bf16x2", set_pair_of_predicates<bf16_value>}};
  return handler_for(kHandlers, type);
}

// Groups of the form: comparison, combination, .ftz, type.
void translate_setp(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const U32 bits = type_bits(match[3]);
  operation.modifiers = static_cast<U32>(comparison_named(match[0]));
  read_combination(t, instruction, match[1], operation);
  const Operand& to = instruction.operands[0];
  if (to.kind == Operand::Kind::kPair) {
    operation.registers[0] = t.destination(to.elements[0], 1);
    operation.registers[4] = t.destination(to.elements[1], 1);
  } else {
    if (match[3].ends_with("x2")) t.refuse("a comparison of pairs has two predicates");
    operation.registers[0] = t.destination(to, 1);
  }
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.handler = setp_handler(match[3], match.has(2));
}

// set: all ones or zero; 1.0 or zero where the destination is a number.
template <class To>
void write_truth(Warp& warp, const Operation& operation, LaneMask mask, LaneMask value) {
  To* to = warp.lanes<To>(operation.registers[0]);
  const To when_true = static_cast<To>(operation.immediate);
  for_lanes(mask, [&](U32 lane) { to[lane] = (value >> lane & 1) != 0 ? when_true : To{0}; });
}

template <class To, CompareWarp kCompare>
void set_truth(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask value =
      combined(warp, operation, kCompare(warp, operation, comparison_of(operation)));
  write_truth<To>(warp, operation, mask, value);
}

template <float (*kValue)(U16)>
void set_pair_truth(Warp& warp, const Operation& operation, LaneMask mask) {
  const Comparison comparison = comparison_of(operation);
  const LaneMask low =
      combined(warp, operation, compare_half<kValue, 2, 0>(warp, operation, comparison));
  const LaneMask high =
      combined(warp, operation, compare_half<kValue, 2, 1>(warp, operation, comparison));
  U16* to = warp.lanes<U16>(operation.registers[0]);
  const auto when_true = static_cast<U16>(operation.immediate);
  for_lanes(mask, [&](U32 lane) {
    to[std::size_t{2} * lane] = (low >> lane & 1) != 0 ? when_true : U16{0};
    to[std::size_t{2} * lane + 1] = (high >> lane & 1) != 0 ? when_true : U16{0};
  });
}

std::int64_t truth_value(std::string_view type) {
  if (type == "f32") return 0x3f800000;
  if (type == "f16" || type == "f16x2") return 0x3c00;
  if (type == "bf16" || type == "bf16x2") return 0x3f80;
  return -1;
}

Handler set_handler(std::string_view to, std::string_view from, bool flushes) {
  if (to.ends_with("x2"))
    return from == "f16x2" ? set_pair_truth<f16_value> : set_pair_truth<bf16_value>;
  if (type_bits(from) == 16 && from.starts_with('f')) {
    return type_bits(to) == 16 ? set_truth<U16, compare_half<f16_value, 1, 0>>
                               : set_truth<U32, compare_half<f16_value, 1, 0>>;
  }
  if (from == "bf16") {
    return type_bits(to) == 16 ? set_truth<U16, compare_half<bf16_value, 1, 0>>
                               : set_truth<U32, compare_half<bf16_value, 1, 0>>;
  }
  if (flushes && from == "f32") return set_truth<U32, compare_f32<flush>>;
  static constexpr TypedHandler kHandlers[]{
      {"b16", set_truth<U32, compare_registers<U16>>},
      {"b32", set_truth<U32, compare_registers<U32>>},
      {"b64", set_truth<U32, compare_registers<U64>>},
      {"u16", set_truth<U32, compare_registers<U16>>},
      {"u32", set_truth<U32, compare_registers<U32>>},
      {"u64", set_truth<U32, compare_registers<U64>>},
      {"s16", set_truth<U32, compare_registers<std::int16_t>>},
      {"s32", set_truth<U32, compare_registers<std::int32_t>>},
      {"s64", set_truth<U32, compare_registers<std::int64_t>>},
      {"f32", set_truth<U32, compare_registers<float>>},
      {"f64", set_truth<U32, compare_registers<double>>}};
  return handler_for(kHandlers, from);
}

// Groups of the form: comparison, combination, .ftz, destination type, source type.
void translate_set(Translator& t, const Instruction& instruction, const Match& match,
                   Operation& operation) {
  const U32 bits = type_bits(match[4]);
  operation.modifiers = static_cast<U32>(comparison_named(match[0]));
  read_combination(t, instruction, match[1], operation);
  operation.registers[0] = t.destination(instruction.operands[0], type_bits(match[3]));
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.immediate = truth_value(match[3]);
  operation.handler = set_handler(match[3], match[4], match.has(2));
}

}  // namespace

void add_compare_operations(OpcodeTable& table) {
  const std::string number = "(eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan)[.and|.or|.xor]";
  table.add("setp.(eq|ne)[.and|.or|.xor][].(b16|b32|b64)", &translate_setp);
  table.add("setp.(eq|ne|lt|le|gt|ge)[.and|.or|.xor][].(s16|s32|s64)", &translate_setp);
  table.add("setp.(eq|ne|lt|le|gt|ge|lo|ls|hi|hs)[.and|.or|.xor][].(u16|u32|u64)", &translate_setp);
  table.add("setp." + number + "[.ftz].(f32)", &translate_setp);
  table.add("setp." + number + "[].(f64|f16|f16x2|bf16|bf16x2)", &translate_setp);
  table.add("set.(eq|ne)[.and|.or|.xor][].(u32|s32|f32).(b16|b32|b64)", &translate_set);
  table.add("set.(eq|ne|lt|le|gt|ge)[.and|.or|.xor][].(u32|s32|f32).(s16|s32|s64)", &translate_set);
  table.add("set.(eq|ne|lt|le|gt|ge|lo|ls|hi|hs)[.and|.or|.xor][].(u32|s32|f32).(u16|u32|u64)",
            &translate_set);
  table.add("set." + number + "[.ftz].(u32|s32|f32).(f32)", &translate_set);
  table.add("set." + number + "[].(u32|s32|f32).(f64)", &translate_set);
  table.add("set." + number + "[].(f16|u16|s16|u32|s32).(f16)", &translate_set);
  table.add("set." + number + "[].(bf16|u16|s16|u32|s32).(bf16)", &translate_set);
  table.add("set." + number + "[].(f16x2).(f16x2)", &translate_set);
  table.add("set." + number + "[].(bf16x2).(bf16x2)", &translate_set);
}

}  // namespace lodestone::ptx
