#pragma once
// Gives every operand of a function its place in the register file, and refuses what does not fit.
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/gpu/emulator/module.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

// Addresses of a module's variables, known once the module is loaded.
using VariableAddresses = std::vector<std::uint64_t>;

class Translator {
 public:
  Translator(const Module& module, const Function& function, const VariableAddresses& addresses);

  // Throws kBadInput naming the opcode, the kernel and the line when no form of the opcode table
  // is this instruction.
  Program translate();

  // The place of a source of that many bits: a register of that width, an immediate, a special
  // register or a variable's address. 1 bit: a predicate (a negated one is refused; see predicate).
  std::uint32_t source(const Operand& operand, std::uint32_t bits);
  // The place of a destination; scratch for "_".
  std::uint32_t destination(const Operand& operand, std::uint32_t bits);
  // The place of a predicate as a source, with its negation.
  std::pair<std::uint32_t, bool> predicate(const Operand& operand);
  // Width of a register operand; `otherwise` for operands without one.
  std::uint32_t width(const Operand& operand, std::uint32_t otherwise) const;
  AddressOperand address(const Operand& operand, AddressSpace space);
  // Puts places into the program's lists; their first index.
  std::uint32_t list(const std::vector<std::uint32_t>& places);
  // The elements of a vector operand, or the operand itself.
  static std::vector<Operand> elements(const Operand& operand);
  // A constant integer operand.
  std::int64_t constant(const Operand& operand) const;
  // A fresh register of that many bits.
  std::uint32_t scratch(std::uint32_t bits);
  // A register that holds a value in every lane.
  std::uint32_t preset(std::uint64_t value, std::uint32_t bits);
  // The instruction must have that many operands.
  void expect_operands(std::size_t count) const;
  void expect_operands(std::size_t least, std::size_t most) const;

  const Module& module() const { return module_; }
  const Function& function() const { return function_; }
  // Index of a function that a call names, in Module::functions.
  std::uint32_t callee(const Operand& operand) const;

  // "file.ptx kernel K, line 12: WHY: the instruction"
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  void place_registers();
  void place_variables();
  std::uint32_t allocate(std::uint32_t bytes);
  std::uint64_t variable_address(const Operand& operand) const;
  std::uint64_t immediate_bits(const Operand& operand, std::uint32_t bits) const;
  Operation translate(const Instruction& instruction);

  const Module& module_;
  const Function& function_;
  const VariableAddresses& addresses_;
  const Instruction* current_ = nullptr;
  Program program_;
  std::vector<std::uint32_t> register_offsets_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> preset_offsets_;
  std::map<std::string, std::uint32_t> special_offsets_;
};

}  // namespace lodestone::ptx
