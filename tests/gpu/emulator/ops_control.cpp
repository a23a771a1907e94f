// Branches, calls, returns, traps.
#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/device_functions.h"
#include "tests/gpu/emulator/finding.h"
#include "tests/gpu/emulator/translations.h"
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

namespace {

void translate_branch(Translator& t, const Instruction& instruction, const Match& /*match*/,
                      Operation& operation) {
  t.expect_operands(1);
  const Operand& to = instruction.operands[0];
  if (to.kind != Operand::Kind::kLabel) t.refuse("a label was expected");
  operation.flow = Flow::kBranch;
  operation.target = to.index;
}

// brx.idx INDEX, {labels}
void translate_indexed_branch(Translator& t, const Instruction& instruction, const Match& /*match*/,
                              Operation& operation) {
  t.expect_operands(2);
  std::vector<std::uint32_t> targets;
  for (const Operand& label : Translator::elements(instruction.operands[1])) {
    if (label.kind != Operand::Kind::kLabel) t.refuse("a list of labels was expected");
    targets.push_back(label.index);
  }
  operation.flow = Flow::kBranch;
  operation.registers[0] = t.source(instruction.operands[0], 32);
  operation.list = t.list(targets);
  operation.list_size = static_cast<std::uint32_t>(targets.size());
}

template <Flow kFlow>
void translate_flow(Translator& t, const Instruction& /*instruction*/, const Match& /*match*/,
                    Operation& operation) {
  t.expect_operands(0);
  operation.flow = kFlow;
}

void trap(Warp& warp, const Operation& operation, LaneMask mask) {
  report(warp, operation, static_cast<std::uint32_t>(std::countr_zero(mask)), FindingKind::kTrap,
         "the kernel stopped itself");
}

void translate_trap(Translator& t, const Instruction& /*instruction*/, const Match& /*match*/,
                    Operation& operation) {
  t.expect_operands(0);
  operation.handler = trap;
}

// Others get their turn. Sleeping is no standstill: the thread will look again.
void sleep(Warp& warp, const Operation& /*operation*/, LaneMask /*mask*/) {
  warp.wait_elsewhere();
  warp.block().note_progress();
}

void translate_sleep(Translator& t, const Instruction& instruction, const Match& /*match*/,
                     Operation& operation) {
  t.expect_operands(1);
  operation.registers[1] = t.source(instruction.operands[0], 32);
  operation.flow = Flow::kPoll;
  operation.handler = sleep;
}

// call {(results),} function{, (arguments)}: their places in the frame, results first.
void translate_call(Translator& t, const Instruction& instruction, const Match& /*match*/,
                    Operation& operation) {
  t.expect_operands(1, 3);
  const auto& operands = instruction.operands;
  std::size_t at = operands[0].kind == Operand::Kind::kVector ? 1 : 0;
  if (at >= operands.size()) t.refuse("a function was expected");
  std::vector<Operand> variables;
  if (at == 1) variables = operands[0].elements;
  const std::size_t results = variables.size();
  const std::uint32_t index = t.callee(operands[at]);
  for (++at; at < operands.size(); ++at) {
    const std::vector<Operand> arguments = Translator::elements(operands[at]);
    variables.insert(variables.end(), arguments.begin(), arguments.end());
  }
  const Function& callee = t.module().functions[index];
  if (callee.is_entry || results != callee.result_count ||
      variables.size() - results != callee.parameter_count) {
    t.refuse("the call does not fit the function's declaration");
  }
  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const auto place = t.frame_place(variables[i]);
    if (!place || place->stride != parameter_stride(callee.variables[i].size)) {
      t.refuse("an argument does not fit its parameter");
    }
    places.push_back(place->offset);
  }
  operation.list = t.list(places);
  operation.list_size = static_cast<std::uint32_t>(places.size());
  operation.target = index;
  if (callee.is_defined) {
    operation.flow = Flow::kCall;
    return;
  }
  operation.handler = device_function(callee.name);
  if (operation.handler == nullptr) {
    t.refuse(fmt::format("the function '{}' is not defined and not known", callee.name));
  }
}

}  // namespace

void add_control_operations(OpcodeTable& table) {
  table.add("bra[.uni]", &translate_branch);
  table.add("brx.idx[.uni]", &translate_indexed_branch);
  table.add("call[.uni]", &translate_call);
  table.add("ret[.uni]", &translate_flow<Flow::kReturn>);
  table.add("exit", &translate_flow<Flow::kExit>);
  table.add("trap", &translate_trap);
  table.add("brkpt", &translate_trap);
  table.add("nanosleep.u32", &translate_sleep);
}

}  // namespace lodestone::ptx
