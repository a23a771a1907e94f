#include "tests/gpu/emulator/trace.h"

#include <fmt/format.h>

#include <bit>
#include <cstdio>

#include "tests/gpu/emulator/finding.h"

namespace lodestone::ptx {

namespace {

std::string value_text(const Warp& warp, std::uint32_t place, const Register& what,
                       std::uint32_t lane) {
  switch (what.bits) {
    case 1:
      return (warp.predicate(place) >> lane & 1) != 0 ? "true" : "false";
    case 16:
      return fmt::format("{:#06x}", warp.lanes<std::uint16_t>(place)[lane]);
    case 32: {
      const std::uint32_t bits = warp.lanes<std::uint32_t>(place)[lane];
      return fmt::format("{:#010x} ({}, {})", bits, static_cast<std::int32_t>(bits),
                         std::bit_cast<float>(bits));
    }
    case 64: {
      const std::uint64_t bits = warp.lanes<std::uint64_t>(place)[lane];
      return fmt::format("{:#018x} ({})", bits, std::bit_cast<double>(bits));
    }
    default:
      return "";
  }
}

}  // namespace

void trace_before(const Warp& warp, const Operation& operation, LaneMask mask, std::uint32_t lane) {
  if ((warp.current_lanes() >> lane & 1) == 0 || operation.instruction == kNone) return;
  const Program& program = warp.program();
  fmt::print(stderr, "trace {} {}{}\n", user_line(program, operation),
             program.function->instructions[operation.instruction].text,
             (mask >> lane & 1) != 0 ? "" : "  (not executed)");
}

void trace_after(const Warp& warp, const Operation& operation, LaneMask mask, std::uint32_t lane) {
  if ((mask >> lane & 1) == 0 || operation.instruction == kNone) return;
  if (operation.flow == Flow::kCall || operation.flow == Flow::kReturn) return;
  const Function& function = *warp.program().function;
  const auto& operands = function.instructions[operation.instruction].operands;
  if (operands.empty() || operands[0].kind != Operand::Kind::kRegister) return;
  if (operation.registers[0] == kNone) return;
  const Register& what = function.registers[operands[0].index];
  fmt::print(stderr, "trace     {} = {}\n", what.name,
             value_text(warp, operation.registers[0], what, lane));
}

}  // namespace lodestone::ptx
