#pragma once
// Gives every operand of a function its place in the register file, and refuses what does not fit.
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/gpu/emulator/module.h"
#include "tests/gpu/emulator/opcode_table.h"
#include "tests/gpu/emulator/operation.h"
#include "tests/gpu/emulator/shared_layout.h"

namespace lodestone::ptx {

// What a function's code depends on besides its text.
struct TranslationContext {
  const Module& module;
  const SharedLayout& shared;  // of the kernel that the function is translated for
  const std::vector<std::uint64_t>&
      addresses;  // of Module::variables in global and constant memory
};

class Translator {
 public:
  Translator(const TranslationContext& context, std::uint32_t function);

  // Throws kBadInput naming the opcode, the function and the line when no form of the opcode table
  // is this instruction.
  Program translate();

  // The place of a source of that many bits: a register of that width, an immediate, a special
  // register or a variable's address. 1 bit: a predicate (a negated one is refused; see predicate).
  std::uint32_t source(const Operand& operand, std::uint32_t bits);
  // The place of a destination; scratch for "_".
  std::uint32_t destination(const Operand& operand, std::uint32_t bits);
  // The place of a predicate as a source, and whether it is negated.
  std::pair<std::uint32_t, bool> predicate(const Operand& operand);
  // Width of a register operand; `otherwise` for operands without one.
  std::uint32_t width(const Operand& operand, std::uint32_t otherwise) const;
  AddressOperand address(const Operand& operand, AddressSpace space);
  // The place in the frame of a `.param` variable that is no kernel parameter, and its stride.
  struct FramePlace {
    std::uint32_t offset = 0;
    std::uint32_t stride = 0;
  };
  std::optional<FramePlace> frame_place(const Operand& variable_or_address) const;
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
  void expect_operands(std::size_t least, std::size_t most) const;
  void expect_operands(std::size_t count) const { expect_operands(count, count); }

  const Module& module() const { return context_.module; }
  const Function& function() const { return function_; }
  // Index of a function that a call names, in Module::functions.
  std::uint32_t callee(const Operand& operand) const;

  // "PTX of K, file.cu:12: INSTRUCTION: WHY"
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  void place_registers();
  void place_variables();
  void place_parameter(std::uint32_t index, std::uint32_t& kernel_bytes);
  std::uint32_t allocate(std::uint64_t bytes);
  std::uint32_t special_register(std::string_view name, std::uint32_t bits);
  std::uint32_t variable_source(const Operand& operand, std::uint32_t bits);
  std::uint64_t variable_address(const Operand& operand) const;
  const Variable& variable(const Operand& operand) const;
  std::uint64_t immediate_bits(const Operand& operand, std::uint32_t bits) const;
  Operation translate(const Instruction& instruction, std::uint32_t index);

  const TranslationContext& context_;
  std::uint32_t index_;
  const Function& function_;
  const Instruction* current_ = nullptr;
  Program program_;
  std::vector<std::uint32_t> register_offsets_;
  std::map<std::tuple<std::uint64_t, std::uint32_t, bool>, std::uint32_t> preset_offsets_;
  std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> special_offsets_;
};

}  // namespace lodestone::ptx
