#include "tests/gpu/emulator/shared_layout.h"

#include <algorithm>

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kGap = 64;

std::uint32_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return static_cast<std::uint32_t>((value + multiple - 1) / multiple * multiple);
}

template <class Visit>
void visit_operands(const std::vector<Operand>& operands, const Visit& visit) {
  for (const Operand& operand : operands) {
    visit(operand);
    visit_operands(operand.elements, visit);
  }
}

}  // namespace

SharedLayout::SharedLayout(const Module& module, std::uint32_t kernel) : module_(module) {
  visit(kernel);
  if (dynamic_.empty()) return;
  dynamic_offset_ = round_up(end_, dynamic_alignment_);
  for (const auto& key : dynamic_) offsets_[key] = dynamic_offset_;
  end_ = dynamic_offset_;
}

void SharedLayout::visit(std::uint32_t index) {
  if (std::ranges::find(reachable_, index) != reachable_.end()) return;
  reachable_.push_back(index);
  const Function& function = module_.functions[index];
  for (std::uint32_t i = 0; i < function.variables.size(); ++i) {
    if (function.variables[i].space == AddressSpace::kShared) {
      place(function.variables[i], {index, i});
    }
  }
  std::vector<std::uint32_t> callees;
  for (const Instruction& instruction : function.instructions) {
    visit_operands(instruction.operands, [&](const Operand& operand) {
      if (operand.kind == Operand::Kind::kFunction) {
        for (std::uint32_t i = 0; i < module_.functions.size(); ++i) {
          if (module_.functions[i].name == operand.name) callees.push_back(i);
        }
      }
      if (operand.kind == Operand::Kind::kVariable && operand.is_module_level &&
          module_.variables[operand.index].space == AddressSpace::kShared) {
        place(module_.variables[operand.index], {kNone, operand.index});
      }
    });
  }
  for (const std::uint32_t callee : callees) visit(callee);
}

void SharedLayout::place(const Variable& variable, std::pair<std::uint32_t, std::uint32_t> key) {
  if (offsets_.contains(key)) return;
  if (variable.size == 0) {
    offsets_[key] = 0;  // after all others: known when they are
    dynamic_.push_back(key);
    dynamic_alignment_ = std::max(dynamic_alignment_, variable.alignment);
    return;
  }
  check_input(variable.size <= kMostSharedBytes && end_ <= 4 * kMostSharedBytes,
              "shared variable '{}': {} bytes, and a block has {}", variable.name, variable.size,
              kMostSharedBytes);
  static_bytes_ =
      round_up(static_bytes_, variable.alignment) + static_cast<std::uint32_t>(variable.size);
  const std::uint32_t offset = round_up(end_, variable.alignment);
  offsets_[key] = offset;
  objects_.push_back({offset, variable.size});
  end_ = offset + round_up(variable.size, kGap) + kGap;
}

std::uint32_t SharedLayout::offset(std::uint32_t function, const Operand& operand) const {
  const auto known = offsets_.find({operand.is_module_level ? kNone : function, operand.index});
  check_input(known != offsets_.end(), "shared variable '{}' has no place in this kernel",
              operand.name);
  return known->second;
}

}  // namespace lodestone::ptx
