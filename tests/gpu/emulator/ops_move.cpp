// mov, also between registers and their parts; addresses between spaces; the clock.
#include <bit>
#include <chrono>
#include <cstdint>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/memory.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/special_registers.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

struct Copy {
  template <class T>
  T operator()(T value) const {
    return value;
  }
};

void move_predicate(Warp& warp, const Operation& operation, LaneMask mask) {
  warp.set_predicate(operation.registers[0], warp.predicate(operation.registers[1]), mask);
}

Handler copy_handler(U32 bits) {
  switch (bits) {
    case 1:
      return move_predicate;
    case 8:
      return unary<U8, U8, Copy>;
    case 16:
      return unary<U16, U16, Copy>;
    case 32:
      return unary<U32, U32, Copy>;
    default:
      return unary<U64, U64, Copy>;
  }
}

// A register's lanes and those of its parts lie in memory as rows of parts: lane-major.
template <class Part>
void unpack(Warp& warp, const Operation& operation, LaneMask mask) {
  const U32 parts = operation.list_size;
  const Part* from = warp.lanes<Part>(operation.registers[1]);
  for (U32 part = 0; part < parts; ++part) {
    Part* to = warp.lanes<Part>(warp.list(operation)[part]);
    for_lanes(mask, [&](U32 lane) { to[lane] = from[lane * parts + part]; });
  }
}

template <class Part>
void pack(Warp& warp, const Operation& operation, LaneMask mask) {
  const U32 parts = operation.list_size;
  Part* to = warp.lanes<Part>(operation.registers[0]);
  for (U32 part = 0; part < parts; ++part) {
    const Part* from = warp.lanes<Part>(warp.list(operation)[part]);
    for_lanes(mask, [&](U32 lane) { to[lane * parts + part] = from[lane]; });
  }
}

// mov.b64 emu_object, {ADDRESS, BYTES}: a message to the instrument, dead code to the device.
void announce_object(Warp& warp, const Operation& operation, LaneMask mask) {
  const U32* address = warp.lanes<U32>(warp.list(operation)[0]);
  const U32* bytes = warp.lanes<U32>(warp.list(operation)[1]);
  for_lanes(mask, [&](U32 lane) {
    warp.block().announce_shared_object({address[lane], bytes[lane]});
  });
}

void translate_parts(Translator& t, const Instruction& instruction, U32 bits,
                     Operation& operation) {
  const bool unpacks = instruction.operands[0].kind == Operand::Kind::kVector;
  const auto elements = instruction.operands[unpacks ? 0 : 1].elements;
  const auto count = static_cast<U32>(elements.size());
  if (count != 2 && count != 4) t.refuse("a register has two or four parts");
  const U32 part_bits = bits / count;
  std::vector<U32> places;
  places.reserve(elements.size());
  for (const Operand& element : elements) {
    places.push_back(unpacks ? t.destination(element, part_bits) : t.source(element, part_bits));
  }
  operation.list = t.list(places);
  operation.list_size = count;
  operation.registers[unpacks ? 1 : 0] = unpacks ? t.source(instruction.operands[1], bits)
                                                 : t.destination(instruction.operands[0], bits);
  if (!unpacks && bits == 64 && count == 2 && instruction.operands[0].name == "emu_object") {
    operation.handler = announce_object;
    return;
  }
  switch (part_bits) {
    case 8:
      operation.handler = unpacks ? unpack<U8> : pack<U8>;
      return;
    case 16:
      operation.handler = unpacks ? unpack<U16> : pack<U16>;
      return;
    case 32:
      operation.handler = unpacks ? unpack<U32> : pack<U32>;
      return;
    default:
      t.refuse("the parts have 8, 16 or 32 bits");
  }
}

// Time on the host; a clock cycle of the device is taken for a nanosecond.
template <class T>
void read_clock(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto count = static_cast<U64>(std::chrono::nanoseconds(now).count());
  T* to = warp.lanes<T>(operation.registers[0]);
  const T value = static_cast<T>(operation.modifiers != 0 ? count >> 32 : count);
  for_lanes(mask, [&](U32 lane) { to[lane] = value; });
}

void translate_move(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  t.expect_operands(2);
  const U32 bits = type_bits(match[0]);
  const Operand& to = instruction.operands[0];
  const Operand& from = instruction.operands[1];
  if (to.kind == Operand::Kind::kVector || from.kind == Operand::Kind::kVector) {
    if (match[0][0] != 'b') t.refuse("parts are moved by a type of bits");
    return translate_parts(t, instruction, bits, operation);
  }
  operation.registers[0] = t.destination(to, bits);
  if (from.kind == Operand::Kind::kSpecialRegister && is_clock(from.name)) {
    operation.modifiers = from.name.ends_with("_hi") ? 1 : 0;
    operation.handler = bits == 64 ? read_clock<U64> : read_clock<U32>;
    return;
  }
  operation.registers[1] = t.source(from, bits);
  operation.handler = copy_handler(bits);
}

AddressSpace space_named(std::string_view name) {
  if (name == "shared" || name == "shared::cta") return AddressSpace::kShared;
  if (name == "local") return AddressSpace::kLocal;
  if (name == "param") return AddressSpace::kParameter;
  return name == "const" ? AddressSpace::kConstant : AddressSpace::kGlobal;
}

void add_offset(Warp& warp, const Operation& operation, LaneMask mask) {
  U64* to = warp.lanes<U64>(operation.registers[0]);
  const U64* from = warp.lanes<U64>(operation.registers[1]);
  const auto offset = static_cast<U64>(operation.immediate);
  for_lanes(mask, [&](U32 lane) { to[lane] = from[lane] + offset; });
}

// Groups of the form: .to, the space.
void translate_convert_address(Translator& t, const Instruction& instruction, const Match& match,
                               Operation& operation) {
  translate_uniform(t, instruction, operation, 1, 64);
  const U64 window = window_of(space_named(match[1]));
  operation.immediate = static_cast<std::int64_t>(match.has(0) ? ~window + 1 : window);
  operation.handler = add_offset;
}

void is_in_space(Warp& warp, const Operation& operation, LaneMask mask) {
  const U64* address = warp.lanes<U64>(operation.registers[1]);
  const auto space = static_cast<AddressSpace>(operation.modifiers);
  LaneMask result = 0;
  for (U32 lane = 0; lane < kLanes; ++lane) {
    result |= LaneMask{space_of(address[lane]) == space} << lane;
  }
  warp.set_predicate(operation.registers[0], result, mask);
}

void translate_is_space(Translator& t, const Instruction& instruction, const Match& match,
                        Operation& operation) {
  t.expect_operands(2);
  operation.registers[0] = t.destination(instruction.operands[0], 1);
  operation.registers[1] = t.source(instruction.operands[1], 64);
  operation.modifiers = static_cast<U32>(space_named(match[0]));
  operation.handler = is_in_space;
}

}  // namespace

void add_move_operations(OpcodeTable& table) {
  table.add("mov.(pred|b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64|f16|bf16)",
            &translate_move);
  table.add("cvta[.to].(global|shared|shared::cta|local|const|param).u64",
            &translate_convert_address);
  table.add("isspacep.(global|shared|shared::cta|local|param)", &translate_is_space);
}

}  // namespace lodestone::ptx
