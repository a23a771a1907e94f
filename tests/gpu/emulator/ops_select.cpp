// Selections: selp, slct.
#include <cstdint>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

template <class T>
void select_by_predicate(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  LaneMask predicate = warp.predicate(operation.registers[3]);
  if (operation.modifiers != 0) predicate = ~predicate;
  for_lanes(mask, [&](U32 lane) { to[lane] = (predicate >> lane & 1) != 0 ? a[lane] : b[lane]; });
}

void translate_selp(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const U32 bits = type_bits(match[0]);
  t.expect_operands(4);
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  const auto [place, negated] = t.predicate(instruction.operands[3]);
  operation.registers[3] = place;
  operation.modifiers = negated ? 1 : 0;
  operation.handler = bits == 16   ? select_by_predicate<U16>
                      : bits == 32 ? select_by_predicate<U32>
                                   : select_by_predicate<U64>;
}

// a where c >= 0 (for f32, -0 included), otherwise b; NaN chooses b.
template <class T, class Chooser>
void select_by_sign(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  const Chooser* c = warp.lanes<Chooser>(operation.registers[3]);
  for_lanes(mask, [&](U32 lane) { to[lane] = c[lane] >= 0 ? a[lane] : b[lane]; });
}

// Groups of the form: .ftz, the type, the type of the chooser. A flushed number keeps its sign, and
// -0 chooses as +0 does: flushing makes a negative subnormal number choose a.
template <class T>
void select_by_flushed_sign(Warp& warp, const Operation& operation, LaneMask mask) {
  T* to = warp.lanes<T>(operation.registers[0]);
  const T* a = warp.lanes<T>(operation.registers[1]);
  const T* b = warp.lanes<T>(operation.registers[2]);
  const float* c = warp.lanes<float>(operation.registers[3]);
  for_lanes(mask, [&](U32 lane) { to[lane] = flush(c[lane]) >= 0 ? a[lane] : b[lane]; });
}

template <class T>
Handler slct_handler(bool flushes, std::string_view chooser) {
  if (chooser == "s32") return select_by_sign<T, std::int32_t>;
  return flushes ? select_by_flushed_sign<T> : select_by_sign<T, float>;
}

void translate_slct(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const U32 bits = type_bits(match[1]);
  t.expect_operands(4);
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.registers[2] = t.source(instruction.operands[2], bits);
  operation.registers[3] = t.source(instruction.operands[3], 32);
  operation.handler = bits == 16   ? slct_handler<U16>(match.has(0), match[2])
                      : bits == 32 ? slct_handler<U32>(match.has(0), match[2])
                                   : slct_handler<U64>(match.has(0), match[2]);
}

}  // namespace

void add_select_operations(OpcodeTable& table) {
  table.add("selp.(b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64)", &translate_selp);
  table.add("slct[.ftz].(b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64).(f32)", &translate_slct);
  table.add("slct[].(b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64).(s32)", &translate_slct);
}

}  // namespace lodestone::ptx
