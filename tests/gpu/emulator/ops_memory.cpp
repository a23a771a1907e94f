// ld and st of every space, with vectors and cache hints (which have no effect here), and the
// parameters of kernels and calls.
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/memory_lanes.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U32 = std::uint32_t;

// The sign of a narrow number fills the register.
template <class Held, class Stored>
Held extended(Stored value) {
  return static_cast<Held>(value);
}

// Stored is the number in memory, Held the register: at least as wide.
template <class Stored, class Held>
void load(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto bytes = static_cast<U32>(sizeof(Stored)) * operation.list_size;
  const auto body = [&](LaneMask lanes, const HostAddresses& host) {
    for (U32 i = 0; i < operation.list_size; ++i) {
      Held* to = warp.lanes<Held>(warp.list(operation)[i]);
      for_lanes_in_order(lanes, [&](U32 lane) {
        Stored value;
        std::memcpy(&value, host[lane] + i * sizeof(Stored), sizeof(Stored));
        to[lane] = extended<Held>(value);
      });
    }
  };
  access_lanes(warp, operation, mask, AccessKind::kRead, bytes, body);
}

template <class Stored, class Held>
void store(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto bytes = static_cast<U32>(sizeof(Stored)) * operation.list_size;
  const auto body = [&](LaneMask lanes, const HostAddresses& host) {
    for (U32 i = 0; i < operation.list_size; ++i) {
      const Held* from = warp.lanes<Held>(warp.list(operation)[i]);
      for_lanes_in_order(lanes, [&](U32 lane) {
        const auto value = static_cast<Stored>(from[lane]);
        std::memcpy(host[lane] + i * sizeof(Stored), &value, sizeof(Stored));
      });
    }
  };
  access_lanes(warp, operation, mask, AccessKind::kWrite, bytes, body);
}

// A kernel's parameter at a fixed place: the same for every lane, and nobody writes it.
template <class Stored, class Held>
void load_parameter(Warp& warp, const Operation& operation, LaneMask mask) {
  const auto* from = warp.block().launch().parameters.data() + operation.addresses[0].offset;
  for (U32 i = 0; i < operation.list_size; ++i) {
    Stored value;
    std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
    Held* to = warp.lanes<Held>(warp.list(operation)[i]);
    for_lanes(mask, [&](U32 lane) { to[lane] = extended<Held>(value); });
  }
}

// A parameter of a call, in the register file: registers[1] its place, `immediate` the stride.
template <class Stored, class Held>
void load_frame(Warp& warp, const Operation& operation, LaneMask mask) {
  const std::byte* from = warp.lanes<std::byte>(operation.registers[1]);
  for (U32 i = 0; i < operation.list_size; ++i) {
    Held* to = warp.lanes<Held>(warp.list(operation)[i]);
    for_lanes_in_order(mask, [&](U32 lane) {
      Stored value;
      const auto at = static_cast<std::size_t>(operation.immediate) * lane + i * sizeof(Stored);
      std::memcpy(&value, from + at, sizeof(Stored));
      to[lane] = extended<Held>(value);
    });
  }
}

template <class Stored, class Held>
void store_frame(Warp& warp, const Operation& operation, LaneMask mask) {
  std::byte* to = warp.lanes<std::byte>(operation.registers[1]);
  for (U32 i = 0; i < operation.list_size; ++i) {
    const Held* from = warp.lanes<Held>(warp.list(operation)[i]);
    for_lanes_in_order(mask, [&](U32 lane) {
      const auto value = static_cast<Stored>(from[lane]);
      const auto at = static_cast<std::size_t>(operation.immediate) * lane + i * sizeof(Stored);
      std::memcpy(to + at, &value, sizeof(Stored));
    });
  }
}

// What an access does, for a type in memory and a width of register.
enum class Access : std::uint8_t { kLoad, kStore, kLoadParameter, kLoadFrame, kStoreFrame };

template <class Stored, class Held>
Handler access_handler(Access access) {
  switch (access) {
    case Access::kLoad:
      return load<Stored, Held>;
    case Access::kStore:
      return store<Stored, Held>;
    case Access::kLoadParameter:
      return load_parameter<Stored, Held>;
    case Access::kLoadFrame:
      return load_frame<Stored, Held>;
    case Access::kStoreFrame:
      return store_frame<Stored, Held>;
  }
  return nullptr;
}

// A signed register extends a signed number with its sign, an unsigned one with zeros.
template <class Stored>
Handler access_handler(Access access, U32 register_bits) {
  switch (register_bits) {
    case 8:
      return access_handler<Stored, std::uint8_t>(access);
    case 16:
      return access_handler<Stored, std::uint16_t>(access);
    case 32:
      return access_handler<Stored, std::uint32_t>(access);
    default:
      return access_handler<Stored, std::uint64_t>(access);
  }
}

Handler access_handler(Access access, std::string_view type, U32 register_bits) {
  const bool is_signed = type[0] == 's';
  switch (type_bits(type)) {
    case 8:
      return is_signed ? access_handler<std::int8_t>(access, register_bits)
                       : access_handler<std::uint8_t>(access, register_bits);
    case 16:
      return is_signed ? access_handler<std::int16_t>(access, register_bits)
                       : access_handler<std::uint16_t>(access, register_bits);
    case 32:
      return is_signed ? access_handler<std::int32_t>(access, register_bits)
                       : access_handler<std::uint32_t>(access, register_bits);
    default:
      return access_handler<std::uint64_t>(access, register_bits);
  }
}

std::size_t vector_size(std::string_view name) {
  return name.empty() ? 1 : static_cast<std::size_t>(name[2] - '0');
}

// The registers of an access: all of one width, at least that of the type.
U32 translate_registers(Translator& t, const Operand& operand, std::string_view vector,
                        std::string_view type, bool loads, Operation& operation) {
  const std::vector<Operand> elements = Translator::elements(operand);
  if (elements.size() != vector_size(vector)) t.refuse("the vector has another length");
  U32 bits = 0;
  for (const Operand& element : elements) bits = std::max(bits, t.width(element, 0));
  if (bits == 0) bits = type_bits(type);
  if (bits < type_bits(type)) t.refuse("the register is narrower than the type");
  std::vector<U32> places;
  places.reserve(elements.size());
  for (const Operand& element : elements) {
    places.push_back(loads ? t.destination(element, bits) : t.source(element, bits));
  }
  operation.list = t.list(places);
  operation.list_size = static_cast<U32>(places.size());
  operation.bytes = type_bits(type) / 8;
  return bits;
}

// Fills in the place that is accessed, and says how.
Access translate_place(Translator& t, const Operand& operand, AddressSpace space, bool loads,
                       Operation& operation) {
  if (space == AddressSpace::kParameter) {
    if (const auto place = t.frame_place(operand)) {
      operation.registers[1] = place->offset;
      operation.immediate = place->stride;
      return loads ? Access::kLoadFrame : Access::kStoreFrame;
    }
    if (!loads) t.refuse("a kernel's parameters cannot be written");
  }
  operation.addresses[0] = t.address(operand, space);
  const bool fixed = operation.addresses[0].base == kNone;
  return !loads                                       ? Access::kStore
         : fixed && space == AddressSpace::kParameter ? Access::kLoadParameter
                                                      : Access::kLoad;
}

void check_fixed_parameter(const Translator& t, const Operation& operation) {
  const Function& function = t.function();
  std::uint64_t bytes = 0;
  for (U32 i = 0; i < function.parameter_count; ++i) {
    const Variable& each = function.variables[i];
    bytes = (bytes + each.alignment - 1) / each.alignment * each.alignment + each.size;
  }
  const Extent all{0, bytes};
  if (operation.addresses[0].offset < 0 ||
      !all.contains(static_cast<std::uint64_t>(operation.addresses[0].offset),
                    std::uint64_t{operation.bytes} * operation.list_size)) {
    t.refuse("the address lies outside of the parameters");
  }
}

struct AccessNames {
  std::string_view order, scope, space, vector, type;
  bool has_policy = false;
};

void translate_access(Translator& t, const Instruction& instruction, const AccessNames& names,
                      bool loads, Operation& operation) {
  t.expect_operands(names.has_policy ? 3 : 2);
  const Operand& value = instruction.operands[loads ? 0 : 1];
  const Operand& place = instruction.operands[loads ? 1 : 0];
  const U32 bits = translate_registers(t, value, names.vector, names.type, loads, operation);
  const Access access =
      translate_place(t, place, address_space_named(names.space), loads, operation);
  if (access == Access::kLoadParameter) check_fixed_parameter(t, operation);
  operation.modifiers =
      ordering_bits(memory_order_named(names.order), memory_scope_named(names.scope));
  operation.handler = access_handler(access, names.type, bits);
}

// Groups: order, scope, space, cache operator or eviction, cache hint, prefetch, vector, type.
template <bool kLoads>
void translate_plain(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  translate_access(t, instruction, {match[0], match[1], match[2], match[6], match[7], match.has(4)},
                   kLoads, operation);
}

void translate_nothing(Translator& t, const Instruction& /*instruction*/, const Match& /*match*/,
                       Operation& operation) {
  t.expect_operands(1, 2);
  operation.handler = [](Warp&, const Operation&, LaneMask) {};
}

// A policy has no effect here: zero stands for every one.
void translate_policy(Translator& t, const Instruction& instruction, const Match& /*match*/,
                      Operation& operation) {
  t.expect_operands(1, 2);
  operation.registers[0] = t.destination(instruction.operands[0], 64);
  operation.handler = [](Warp& warp, const Operation& self, LaneMask mask) {
    auto* to = warp.lanes<std::uint64_t>(self.registers[0]);
    for_lanes(mask, [&](U32 lane) { to[lane] = 0; });
  };
}

const std::string kType = ".(b8|u8|s8|b16|u16|s16|b32|u32|s32|f32|b64|u64|s64|f64)";
const std::string kTail = "[.v2|.v4]" + kType;
const std::string kScope = "(.cta|.cluster|.gpu|.sys)";
const std::string kHints =
    "[.L1::evict_normal|.L1::evict_unchanged|.L1::evict_first|.L1::evict_last|.L1::no_allocate]"
    "[.L2::cache_hint]";

void add_loads(OpcodeTable& table) {
  const std::string prefetch = "[.L2::64B|.L2::128B|.L2::256B]";
  const std::string plain =
      "ld[.weak][][.global|.shared|.shared::cta|.shared::cluster|.local|"
      ".const|.param|.param::entry|.param::func]";
  const std::string cached = "(.ca|.cg|.cs|.lu|.cv)[.L2::cache_hint]";
  table.add(plain + kHints + prefetch + kTail, &translate_plain<true>);
  table.add(plain + cached + prefetch + kTail, &translate_plain<true>);
  table.add("ld(.volatile)[][.global|.shared|.shared::cta|.local][][]" + prefetch + kTail,
            &translate_plain<true>);
  table.add("ld(.relaxed|.acquire)" + kScope + "[.global|.shared|.shared::cta]" + kHints +
                prefetch + kTail,
            &translate_plain<true>);
  table.add("ld[][](.global).nc" + kHints + prefetch + kTail, &translate_plain<true>);
  table.add("ld[][](.global)(.ca|.cg|.cs).nc[.L2::cache_hint]" + prefetch + kTail,
            &translate_plain<true>);
  table.add("ldu[][](.global)[][][]" + kTail, &translate_plain<true>);
}

void add_stores(OpcodeTable& table) {
  const std::string plain =
      "st[.weak][][.global|.shared|.shared::cta|.shared::cluster|.local|"
      ".param|.param::func]";
  table.add(plain + kHints + "[]" + kTail, &translate_plain<false>);
  table.add(plain + "(.wb|.cg|.cs|.wt)[.L2::cache_hint][]" + kTail, &translate_plain<false>);
  table.add("st(.volatile)[][.global|.shared|.shared::cta|.local][][][]" + kTail,
            &translate_plain<false>);
  table.add(
      "st(.relaxed|.release)" + kScope + "[.global|.shared|.shared::cta]" + kHints + "[]" + kTail,
      &translate_plain<false>);
}

}  // namespace

void add_memory_operations(OpcodeTable& table) {
  add_loads(table);
  add_stores(table);
  table.add("prefetch[.global|.local](.L1|.L2)", &translate_nothing);
  table.add("prefetch.global(.L2::evict_last|.L2::evict_normal)", &translate_nothing);
  table.add("prefetchu.L1", &translate_nothing);
  table.add(
      "createpolicy.fractional(.L2::evict_last|.L2::evict_normal|.L2::evict_first|"
      ".L2::evict_unchanged).b64",
      &translate_policy);
}

}  // namespace lodestone::ptx
