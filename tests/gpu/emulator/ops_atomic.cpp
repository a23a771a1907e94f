// atom and red: integers, f32, f64, f16, bf16 and their pairs, vectors; lane after lane.
//
// A warp's lanes act in the order of their numbers: one of the orders that the device may take.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/gpu/emulator/float_lanes.h"
#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/memory_lanes.h"
#include "tests/gpu/emulator/number_formats.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

struct Add {
  template <class T>
  T operator()(T old, T value) const {
    return static_cast<T>(old + value);
  }
};
// On global memory, subnormal numbers are flushed; on shared memory they are not.
struct AddFlushed {
  float operator()(float old, float value) const { return flush(flush(old) + flush(value)); }
};
struct And {
  template <class T>
  T operator()(T old, T value) const {
    return old & value;
  }
};
struct Or {
  template <class T>
  T operator()(T old, T value) const {
    return old | value;
  }
};
struct Xor {
  template <class T>
  T operator()(T old, T value) const {
    return old ^ value;
  }
};
struct Exchange {
  template <class T>
  T operator()(T /*old*/, T value) const {
    return value;
  }
};
struct Minimum {
  template <class T>
  T operator()(T old, T value) const {
    return std::min(old, value);
  }
};
struct Maximum {
  template <class T>
  T operator()(T old, T value) const {
    return std::max(old, value);
  }
};
struct Increment {
  U32 operator()(U32 old, U32 bound) const { return old >= bound ? 0 : old + 1; }
};
struct Decrement {
  U32 operator()(U32 old, U32 bound) const { return old == 0 || old > bound ? bound : old - 1; }
};

// Numbers of 16 bits, formed in f64 and rounded once.
template <const NumberFormat& kFormat, class Function>
struct OfHalf {
  U16 operator()(U16 old, U16 value) const {
    const double result = Function{}(decode(old, kFormat), decode(value, kFormat));
    return static_cast<U16>(encode(result, kFormat));
  }
};
using SmallestNumber = Extremum<false, false>;
using LargestNumber = Extremum<true, false>;

// The list holds the registers of the values and then, for atom, those of the old ones. A register
// holds kParts numbers side by side.
template <class T, class Function, U32 kParts>
void modify_lane(Warp& warp, const Operation& operation, U32 lane, std::byte* place) {
  const U32 numbers = operation.bytes / static_cast<U32>(sizeof(T));
  const U32 values = numbers / kParts;
  const U32* places = warp.list(operation);
  for (U32 i = 0; i < numbers; ++i) {
    const U32 at = lane * kParts + i % kParts;
    T old;
    std::memcpy(&old, place + i * sizeof(T), sizeof(T));
    const T value = Function{}(old, warp.lanes<T>(places[i / kParts])[at]);
    std::memcpy(place + i * sizeof(T), &value, sizeof(T));
    if (operation.list_size > values) warp.lanes<T>(places[values + i / kParts])[at] = old;
  }
}

template <class T, class Function, U32 kParts>
void modify(Warp& warp, const Operation& operation, LaneMask mask) {
  access_lanes(warp, operation, mask, AccessKind::kAtomic, operation.bytes,
               [&](LaneMask lanes, const HostAddresses& host) {
                 for_lanes_in_order(lanes, [&](U32 lane) {
                   modify_lane<T, Function, kParts>(warp, operation, lane, host[lane]);
                 });
               });
  warp.block().note_progress();
}

template <class T>
void compare_and_swap(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* expected = warp.lanes<T>(operation.registers[1]);
  const T* desired = warp.lanes<T>(operation.registers[2]);
  T* result = warp.lanes<T>(operation.registers[0]);
  const auto swap = [&](U32 lane, std::byte* place) {
    T old;
    std::memcpy(&old, place, sizeof(T));
    const T value = desired[lane];
    if (old == expected[lane]) std::memcpy(place, &value, sizeof(T));
    result[lane] = old;
  };
  access_lanes(warp, operation, mask, AccessKind::kAtomic, operation.bytes,
               [&](LaneMask lanes, const HostAddresses& host) {
                 for_lanes_in_order(lanes, [&](U32 lane) { swap(lane, host[lane]); });
               });
  warp.block().note_progress();
}

struct AtomicHandler {
  std::string_view name;  // operation and type
  Handler handler = nullptr;
};

constexpr AtomicHandler kHandlers[]{
    {"and.b32", modify<U32, And, 1>},
    {"and.b64", modify<U64, And, 1>},
    {"or.b32", modify<U32, Or, 1>},
    {"or.b64", modify<U64, Or, 1>},
    {"xor.b32", modify<U32, Xor, 1>},
    {"xor.b64", modify<U64, Xor, 1>},
    {"exch.b32", modify<U32, Exchange, 1>},
    {"exch.b64", modify<U64, Exchange, 1>},
    {"add.u32", modify<U32, Add, 1>},
    {"add.s32", modify<U32, Add, 1>},
    {"add.u64", modify<U64, Add, 1>},
    {"add.s64", modify<U64, Add, 1>},
    {"add.f64", modify<double, Add, 1>},
    {"inc.u32", modify<U32, Increment, 1>},
    {"dec.u32", modify<U32, Decrement, 1>},
    {"min.u32", modify<U32, Minimum, 1>},
    {"min.s32", modify<std::int32_t, Minimum, 1>},
    {"min.u64", modify<U64, Minimum, 1>},
    {"min.s64", modify<std::int64_t, Minimum, 1>},
    {"max.u32", modify<U32, Maximum, 1>},
    {"max.s32", modify<std::int32_t, Maximum, 1>},
    {"max.u64", modify<U64, Maximum, 1>},
    {"max.s64", modify<std::int64_t, Maximum, 1>},
    {"add.f16", modify<U16, OfHalf<kF16, Add>, 1>},
    {"add.f16x2", modify<U16, OfHalf<kF16, Add>, 2>},
    {"add.bf16", modify<U16, OfHalf<kBf16, Add>, 1>},
    {"add.bf16x2", modify<U16, OfHalf<kBf16, Add>, 2>},
    {"min.f16", modify<U16, OfHalf<kF16, SmallestNumber>, 1>},
    {"min.f16x2", modify<U16, OfHalf<kF16, SmallestNumber>, 2>},
    {"min.bf16", modify<U16, OfHalf<kBf16, SmallestNumber>, 1>},
    {"min.bf16x2", modify<U16, OfHalf<kBf16, SmallestNumber>, 2>},
    {"max.f16", modify<U16, OfHalf<kF16, LargestNumber>, 1>},
    {"max.f16x2", modify<U16, OfHalf<kF16, LargestNumber>, 2>},
    {"max.bf16", modify<U16, OfHalf<kBf16, LargestNumber>, 1>},
    {"max.bf16x2", modify<U16, OfHalf<kBf16, LargestNumber>, 2>},
};

Handler handler_named(std::string_view operation, std::string_view type, AddressSpace space) {
  if (operation == "add" && type == "f32") {
    return space == AddressSpace::kShared ? modify<float, Add, 1> : modify<float, AddFlushed, 1>;
  }
  for (const AtomicHandler& each : kHandlers) {
    if (each.name.starts_with(operation) && each.name.substr(operation.size() + 1) == type) {
      return each.handler;
    }
  }
  return nullptr;
}

// Groups: order, scope, space, operation, cache hint, vector, type.
template <bool kReturns>
void translate_modify(Translator& t, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  const std::size_t first = kReturns ? 1 : 0;
  t.expect_operands(first + 2 + (match.has(4) ? 1 : 0));
  const U32 bits = type_bits(match[6]);
  const AddressSpace space = address_space_named(match[2]);
  operation.addresses[0] = t.address(instruction.operands[first], space);
  std::vector<U32> places;
  for (const Operand& each : Translator::elements(instruction.operands[first + 1])) {
    places.push_back(t.source(each, bits));
  }
  const std::size_t count = match.has(5) ? static_cast<std::size_t>(match[5][2] - '0') : 1;
  if (places.size() != count) t.refuse("the vector has another length");
  if (kReturns) {
    for (const Operand& each : Translator::elements(instruction.operands[0])) {
      places.push_back(t.destination(each, bits));
    }
    if (places.size() != 2 * count) t.refuse("the vector has another length");
    operation.registers[0] = places[count];
  }
  operation.list = t.list(places);
  operation.list_size = static_cast<U32>(places.size());
  operation.bytes = static_cast<U32>(count) * bits / 8;
  const MemoryOrder order = match.has(0) ? memory_order_named(match[0]) : MemoryOrder::kRelaxed;
  operation.modifiers = ordering_bits(order, memory_scope_named(match[1]));
  operation.handler = handler_named(match[3], match[6], space);
}

// Groups: order, scope, space, cache hint, type.
void translate_swap(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  t.expect_operands(4 + (match.has(3) ? 1 : 0));
  const U32 bits = type_bits(match[4]);
  operation.addresses[0] = t.address(instruction.operands[1], address_space_named(match[2]));
  operation.registers[0] = t.destination(instruction.operands[0], bits);
  operation.registers[1] = t.source(instruction.operands[2], bits);
  operation.registers[2] = t.source(instruction.operands[3], bits);
  operation.bytes = bits / 8;
  const MemoryOrder order = match.has(0) ? memory_order_named(match[0]) : MemoryOrder::kRelaxed;
  operation.modifiers = ordering_bits(order, memory_scope_named(match[1]));
  operation.handler = bits == 16   ? compare_and_swap<U16>
                      : bits == 32 ? compare_and_swap<U32>
                                   : compare_and_swap<U64>;
}

void add_family(OpcodeTable& table, const std::string& stem, const std::string& order,
                Translation translation) {
  const std::string place = stem + order + "[.cta|.cluster|.gpu|.sys]";
  const std::string any = place + "[.global|.shared|.shared::cta]";
  table.add(any + ".(and|or|xor)[.L2::cache_hint][].(b32|b64)", translation);
  table.add(any + ".(add)[.L2::cache_hint][].(u32|s32|u64|s64|f32|f64)", translation);
  table.add(any + ".(inc|dec)[.L2::cache_hint][].(u32)", translation);
  table.add(any + ".(min|max)[.L2::cache_hint][].(u32|s32|u64|s64)", translation);
  table.add(any + ".(add).noftz[.L2::cache_hint][].(f16|f16x2|bf16|bf16x2)", translation);
  const std::string vectors = place + "[.global]";
  table.add(vectors + ".(add)[.L2::cache_hint](.v2|.v4).(f32)", translation);
  table.add(vectors + ".(add|min|max).noftz[.L2::cache_hint](.v2|.v4|.v8).(f16|bf16)", translation);
  table.add(vectors + ".(add|min|max).noftz[.L2::cache_hint](.v2|.v4).(f16x2|bf16x2)", translation);
}

}  // namespace

void add_atomic_operations(OpcodeTable& table) {
  const std::string order = "[.relaxed|.acquire|.release|.acq_rel]";
  add_family(table, "atom", order, &translate_modify<true>);
  add_family(table, "red", "[.relaxed|.release]", &translate_modify<false>);
  const std::string place =
      "atom" + order + "[.cta|.cluster|.gpu|.sys][.global|.shared|.shared::cta]";
  table.add(place + ".(exch)[.L2::cache_hint][].(b32|b64)", &translate_modify<true>);
  table.add(place + ".cas[.L2::cache_hint].(b16|b32|b64)", &translate_swap);
}

}  // namespace lodestone::ptx
