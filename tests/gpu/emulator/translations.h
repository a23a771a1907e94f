#pragma once
// Translations that many operations share: as many sources as the handler takes, all of one width.
#include "tests/gpu/emulator/translator.h"

namespace lodestone::ptx {

// destination, sources...: all of that many bits, into registers[0...].
inline void translate_uniform(Translator& translator, const Instruction& instruction,
                              Operation& operation, std::size_t sources, std::uint32_t bits) {
  translator.expect_operands(sources + 1);
  operation.registers[0] = translator.destination(instruction.operands[0], bits);
  for (std::size_t i = 1; i <= sources; ++i) {
    operation.registers[i] = translator.source(instruction.operands[i], bits);
  }
}

// A handler for a scalar type by its name in the opcode.
struct TypedHandler {
  std::string_view type;
  Handler handler = nullptr;
};

// Null where the name is not listed.
template <std::size_t kCount>
Handler handler_for(const TypedHandler (&handlers)[kCount], std::string_view type) {
  for (const TypedHandler& each : handlers) {
    if (each.type == type) return each.handler;
  }
  return nullptr;
}

}  // namespace lodestone::ptx
