#include "tests/gpu/emulator/opcode_table.h"

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

std::string_view stem(std::string_view opcode) {
  return opcode.substr(0, opcode.find('.'));
}

std::vector<std::string> split_alternatives(std::string_view text) {
  std::vector<std::string> result;
  for (;;) {
    const std::size_t bar = text.find('|');
    result.emplace_back(text.substr(0, bar));
    if (bar == std::string_view::npos) return result;
    text.remove_prefix(bar + 1);
  }
}

}  // namespace

std::vector<OpcodeTable::Group> OpcodeTable::parse_form(std::string_view form) {
  std::vector<Group> groups;
  while (!form.empty()) {
    const char first = form.front();
    if (first == '(' || first == '[') {
      const std::size_t end = form.find(first == '(' ? ')' : ']');
      check(end != std::string_view::npos, "opcode form '{}' is not closed", form);
      groups.push_back({split_alternatives(form.substr(1, end - 1)), first == '[', false});
      form.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(form.find_first_of("(["), form.size());
      groups.push_back({{std::string(form.substr(0, end))}, false, true});
      form.remove_prefix(end);
    }
  }
  return groups;
}

void OpcodeTable::add(std::string_view form, Translation translation) {
  const std::string_view text = form.substr(0, form.find_first_of("(["));
  forms_[std::string(stem(text))].push_back({parse_form(form), translation});
}

// Longer alternatives need not come first: what does not lead to a whole match is taken back.
bool OpcodeTable::match(const Form& form, std::size_t group, std::string_view rest, Match& match) {
  if (group == form.groups.size()) return rest.empty();
  const Group& candidates = form.groups[group];
  for (const std::string& alternative : candidates.alternatives) {
    if (!rest.starts_with(alternative)) continue;
    if (!candidates.is_literal) match.chosen_.emplace_back(alternative);
    if (OpcodeTable::match(form, group + 1, rest.substr(alternative.size()), match)) return true;
    if (!candidates.is_literal) match.chosen_.pop_back();
  }
  if (!candidates.is_optional) return false;
  match.chosen_.emplace_back();
  if (OpcodeTable::match(form, group + 1, rest, match)) return true;
  match.chosen_.pop_back();
  return false;
}

OpcodeTable::Entry OpcodeTable::find(std::string_view opcode) const {
  const auto known = forms_.find(std::string(stem(opcode)));
  if (known == forms_.end()) return {};
  for (const Form& form : known->second) {
    Entry entry{form.translation, {}};
    if (match(form, 0, opcode, entry.match)) return entry;
  }
  return {};
}

const OpcodeTable& opcode_table() {
  static const OpcodeTable kTable = [] {
    OpcodeTable table;
    add_integer_operations(table);
    add_carry_operations(table);
    add_float_operations(table);
    add_float_functions(table);
    add_half_operations(table);
    add_bit_operations(table);
    add_bit_field_operations(table);
    add_compare_operations(table);
    add_select_operations(table);
    add_conversions(table);
    add_packed_conversions(table);
    add_move_operations(table);
    add_memory_operations(table);
    add_atomic_operations(table);
    add_warp_operations(table);
    add_control_operations(table);
    add_barrier_operations(table);
    add_matrix_operations(table);
    add_warpgroup_operations(table);
    add_asynchronous_operations(table);
    return table;
  }();
  return kTable;
}

}  // namespace lodestone::ptx
