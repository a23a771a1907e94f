#include "tests/gpu/emulator/translator.h"

#include <bit>

#include "engine/core/check.h"
#include "tests/gpu/emulator/special_registers.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kAlignment = 64;  // of registers: one vector of the host
constexpr std::uint64_t kMostFrameBytes = std::uint64_t{1} << 30;

std::uint64_t low_bits(std::uint64_t value, std::uint32_t bits) {
  return bits == 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
}

}  // namespace

Translator::Translator(const TranslationContext& context, std::uint32_t function)
    : context_(context), index_(function), function_(context.module.functions[function]) {
  program_.module = &context.module;
  program_.function = &function_;
}

Program Translator::translate() {
  place_registers();
  place_variables();
  for (std::uint32_t i = 0; i < function_.instructions.size(); ++i) {
    program_.operations.push_back(translate(function_.instructions[i], i));
  }
  // Running off the end of a function is a return.
  Operation end;
  end.flow = Flow::kReturn;
  end.instruction = kNone;
  program_.operations.push_back(end);
  return std::move(program_);
}

Operation Translator::translate(const Instruction& instruction, std::uint32_t index) {
  current_ = &instruction;
  const OpcodeTable::Entry entry = opcode_table().find(instruction.opcode);
  if (entry.translation == nullptr) {
    refuse(fmt::format("the instrument does not know '{}'", instruction.opcode));
  }
  Operation operation;
  operation.instruction = index;
  if (instruction.guard) {
    operation.guard = register_offsets_[instruction.guard->predicate];
    operation.guard_negated = instruction.guard->negated;
  }
  entry.translation(*this, instruction, entry.match, operation);
  return operation;
}

std::uint32_t Translator::allocate(std::uint64_t bytes) {
  const std::uint32_t offset = program_.frame_bytes;
  const std::uint64_t end = offset + (bytes + kAlignment - 1) / kAlignment * kAlignment;
  check_input(end <= kMostFrameBytes, "PTX of {}: more registers than the instrument can hold",
              function_.name);
  program_.frame_bytes = static_cast<std::uint32_t>(end);
  return offset;
}

std::uint32_t Translator::scratch(std::uint32_t bits) {
  return allocate(bits == 1 ? sizeof(LaneMask) : std::uint64_t{kLanes} * bits / 8);
}

void Translator::place_registers() {
  register_offsets_.reserve(function_.registers.size());
  for (const Register& each : function_.registers) register_offsets_.push_back(scratch(each.bits));
}

void Translator::place_variables() {
  std::uint32_t kernel_bytes = 0;
  for (std::uint32_t i = 0; i < function_.variables.size(); ++i) {
    const Variable& each = function_.variables[i];
    program_.variable_offsets.push_back(0);
    if (each.space == AddressSpace::kParameter) {
      place_parameter(i, kernel_bytes);
    } else if (each.space == AddressSpace::kLocal) {
      const std::uint64_t begin = (std::uint64_t{program_.local_bytes} + each.alignment - 1) /
                                  each.alignment * each.alignment;
      check_input(begin + each.size < kMostFrameBytes, "PTX of {}: '{}' is too large",
                  function_.name, each.name);
      program_.variable_offsets[i] = static_cast<std::uint32_t>(begin);
      program_.local_bytes = static_cast<std::uint32_t>(begin + each.size);
    }
  }
}

// A kernel's parameters lie one after the other; those of calls lie in the frame.
void Translator::place_parameter(std::uint32_t index, std::uint32_t& kernel_bytes) {
  const Variable& variable = function_.variables[index];
  check_input(variable.size <= 32'768, "PTX of {}: parameter '{}' is too large", function_.name,
              variable.name);
  if (!function_.is_entry || index >= function_.parameter_count) {
    program_.variable_offsets[index] =
        allocate(std::uint64_t{kLanes} * parameter_stride(variable.size));
    return;
  }
  kernel_bytes = (kernel_bytes + variable.alignment - 1) / variable.alignment * variable.alignment;
  program_.variable_offsets[index] = kernel_bytes;
  kernel_bytes += static_cast<std::uint32_t>(variable.size);
}

std::uint32_t Translator::preset(std::uint64_t value, std::uint32_t bits) {
  value = bits == 1 ? (value != 0 ? 1 : 0) : low_bits(value, bits);
  const auto [known, is_new] = preset_offsets_.try_emplace({value, bits, false}, 0);
  if (is_new) {
    known->second = scratch(bits);
    program_.presets.push_back({known->second, bits, value});
  }
  return known->second;
}

std::uint32_t Translator::special_register(std::string_view name, std::uint32_t bits) {
  const std::optional<std::uint32_t> number = ptx::special_register(name);
  if (!number) refuse(fmt::format("special register '{}' is not known", name));
  const auto [known, is_new] = special_offsets_.try_emplace({std::string(name), bits}, 0);
  if (is_new) {
    known->second = scratch(bits);
    program_.special_registers.push_back({known->second, bits, *number});
  }
  return known->second;
}

std::uint32_t Translator::source(const Operand& operand, std::uint32_t bits) {
  if (operand.negated) refuse(fmt::format("'!{}' cannot stand here", operand.name));
  switch (operand.kind) {
    case Operand::Kind::kRegister: {
      const Register& known = function_.registers[operand.index];
      if (known.bits != bits) {
        refuse(fmt::format("register {} has {} bits, {} are needed", known.name, known.bits, bits));
      }
      return register_offsets_[operand.index];
    }
    case Operand::Kind::kSpecialRegister:
      return special_register(operand.name, bits);
    case Operand::Kind::kImmediate:
      return preset(immediate_bits(operand, bits), bits);
    case Operand::Kind::kVariable:
      return variable_source(operand, bits);
    default:
      refuse(fmt::format("operand '{}' cannot be read here", operand.name));
  }
}

std::uint32_t Translator::destination(const Operand& operand, std::uint32_t bits) {
  if (operand.kind == Operand::Kind::kDiscard) return scratch(bits);
  if (operand.kind != Operand::Kind::kRegister) refuse("the destination is no register");
  return source(operand, bits);
}

std::pair<std::uint32_t, bool> Translator::predicate(const Operand& operand) {
  Operand plain = operand;
  plain.negated = false;
  return {source(plain, 1), operand.negated};
}

std::uint32_t Translator::width(const Operand& operand, std::uint32_t otherwise) const {
  return operand.kind == Operand::Kind::kRegister ? function_.registers[operand.index].bits
                                                  : otherwise;
}

const Variable& Translator::variable(const Operand& operand) const {
  return operand.is_module_level ? context_.module.variables[operand.index]
                                 : function_.variables[operand.index];
}

std::uint64_t Translator::variable_address(const Operand& operand) const {
  const auto offset = static_cast<std::uint64_t>(operand.offset);
  if (variable(operand).space == AddressSpace::kShared) {
    return context_.shared.offset(index_, operand) + offset;
  }
  if (operand.is_module_level) return context_.addresses[operand.index] + offset;
  return program_.variable_offsets[operand.index] + offset;
}

std::uint32_t Translator::variable_source(const Operand& operand, std::uint32_t bits) {
  if (frame_place(operand)) refuse("the address of a call's parameter is taken");
  const std::uint64_t address = variable_address(operand);
  if (variable(operand).space != AddressSpace::kLocal) return preset(address, bits);
  const auto [known, is_new] = preset_offsets_.try_emplace({address, bits, true}, 0);
  if (is_new) {
    known->second = scratch(bits);
    program_.presets.push_back({known->second, bits, address, true});
  }
  return known->second;
}

std::optional<Translator::FramePlace> Translator::frame_place(const Operand& operand) const {
  const Operand& base =
      operand.kind == Operand::Kind::kAddress ? operand.elements.front() : operand;
  if (base.kind != Operand::Kind::kVariable || base.is_module_level) return std::nullopt;
  const Variable& known = function_.variables[base.index];
  if (known.space != AddressSpace::kParameter) return std::nullopt;
  if (function_.is_entry && base.index < function_.parameter_count) return std::nullopt;
  const std::int64_t offset = operand.offset;
  if (offset < 0 || static_cast<std::uint64_t>(offset) >= std::max<std::uint64_t>(known.size, 1)) {
    refuse(fmt::format("offset {} lies outside of parameter '{}'", offset, known.name));
  }
  return FramePlace{program_.variable_offsets[base.index] + static_cast<std::uint32_t>(offset),
                    parameter_stride(known.size)};
}

std::uint64_t Translator::immediate_bits(const Operand& operand, std::uint32_t bits) const {
  if (operand.literal == Operand::Literal::kSingle && bits == 64) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(operand.bits));
    return std::bit_cast<std::uint64_t>(static_cast<double>(value));
  }
  if (operand.literal == Operand::Literal::kDouble && bits == 32) {
    const auto value = std::bit_cast<double>(operand.bits);
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  }
  if (operand.literal != Operand::Literal::kInteger && bits < 32) {
    refuse("a real number where an integer is needed");
  }
  return operand.bits;
}

AddressOperand Translator::address(const Operand& operand, AddressSpace space) {
  if (operand.kind != Operand::Kind::kAddress) refuse("an address was expected");
  const Operand& base = operand.elements.front();
  AddressOperand result{.offset = operand.offset, .space = space};
  if (base.kind == Operand::Kind::kImmediate) {
    result.offset += static_cast<std::int64_t>(base.bits);
  } else if (base.kind == Operand::Kind::kVariable &&
             variable(base).space != AddressSpace::kLocal) {
    const AddressSpace own = variable(base).space;
    if (space != own && space != AddressSpace::kGeneric) {
      refuse(fmt::format("'{}' lies in {} memory", base.name, name_of(own)));
    }
    result.offset += static_cast<std::int64_t>(variable_address(base));
    if (space == AddressSpace::kGeneric) {
      result.offset += static_cast<std::int64_t>(window_of(own));
    }
  } else {
    result.bits = width(base, 64);
    if (result.bits != 32 && result.bits != 64) refuse("an address has 32 or 64 bits");
    result.base = source(base, result.bits);
  }
  return result;
}

std::uint32_t Translator::list(const std::vector<std::uint32_t>& places) {
  const auto begin = static_cast<std::uint32_t>(program_.lists.size());
  program_.lists.insert(program_.lists.end(), places.begin(), places.end());
  return begin;
}

std::vector<Operand> Translator::elements(const Operand& operand) {
  return operand.kind == Operand::Kind::kVector ? operand.elements : std::vector<Operand>{operand};
}

std::int64_t Translator::constant(const Operand& operand) const {
  if (operand.kind != Operand::Kind::kImmediate || operand.literal != Operand::Literal::kInteger) {
    refuse("an integer constant was expected");
  }
  return static_cast<std::int64_t>(operand.bits);
}

void Translator::expect_operands(std::size_t least, std::size_t most) const {
  const std::size_t count = current_->operands.size();
  if (count < least || count > most)
    refuse(fmt::format("{} operands are too few or too many", count));
}

std::uint32_t Translator::callee(const Operand& operand) const {
  if (operand.kind != Operand::Kind::kFunction) refuse("calls through a pointer are not supported");
  for (std::uint32_t i = 0; i < context_.module.functions.size(); ++i) {
    if (context_.module.functions[i].name == operand.name) return i;
  }
  refuse(fmt::format("function '{}' is not declared", operand.name));
}

void Translator::refuse(std::string_view why) const {
  std::string place;
  if (current_->location != kNone) {
    const Location& location = context_.module.locations[current_->location];
    place = fmt::format(", line {}", location.line);
  }
  fail(ErrorKind::kBadInput, "PTX of {}{}: [{}]: {}", function_.name, place, current_->text, why);
}

}  // namespace lodestone::ptx
