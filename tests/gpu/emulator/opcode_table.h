#pragma once
// Which opcodes exist. An opcode is matched as a whole, every modifier and type of it, against the
// forms in a table; what no form spells out is refused by name.
//
// A form is text with choices: "(a|b)" is one of them, "[a|b]" one of them or nothing:
//   "add[.rn|.rz|.rm|.rp][.ftz][.sat].f32"   "setp.(eq|ne)[.and|.or].s32"
// Which alternative was taken is handed to the translation, in the order of the groups; "[]" is a
// group that is always absent, where a translation expects one that the form does not have.
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lodestone::ptx {

struct Instruction;
struct Operation;
class Translator;

// What each group of a form matched, "" for an optional group that is absent.
class Match {
 public:
  std::string_view operator[](std::size_t group) const { return chosen_.at(group); }
  bool has(std::size_t group) const { return !chosen_.at(group).empty(); }
  // Without the first groups.
  Match from(std::size_t group) const {
    Match rest;
    rest.chosen_.assign(chosen_.begin() + static_cast<std::ptrdiff_t>(group), chosen_.end());
    return rest;
  }

 private:
  friend class OpcodeTable;
  std::vector<std::string_view> chosen_;
};

// Fills the operation: handler, registers, addresses. Called once per instruction.
using Translation = void (*)(Translator&, const Instruction&, const Match&, Operation&);

class OpcodeTable {
 public:
  void add(std::string_view form, Translation translation);

  struct Entry {
    Translation translation = nullptr;
    Match match;
  };
  // Null translation where no form matches the whole opcode. The match refers to the table.
  Entry find(std::string_view opcode) const;

 private:
  struct Group {
    std::vector<std::string> alternatives;
    bool is_optional = false;
    bool is_literal = false;  // always there and not reported
  };
  struct Form {
    std::vector<Group> groups;
    Translation translation = nullptr;
  };
  static std::vector<Group> parse_form(std::string_view form);
  static bool match(const Form& form, std::size_t group, std::string_view rest, Match& match);

  std::unordered_map<std::string, std::vector<Form>> forms_;  // by the text before the first dot
};

// The families. Each adds its forms; each lives in its own file or files, ops_<family>*.cpp.
void add_integer_operations(OpcodeTable& table);
void add_carry_operations(OpcodeTable& table);
void add_float_operations(OpcodeTable& table);
void add_float_functions(OpcodeTable& table);
void add_half_operations(OpcodeTable& table);
void add_bit_operations(OpcodeTable& table);
void add_bit_field_operations(OpcodeTable& table);
void add_compare_operations(OpcodeTable& table);
void add_select_operations(OpcodeTable& table);
void add_conversions(OpcodeTable& table);
void add_packed_conversions(OpcodeTable& table);
void add_move_operations(OpcodeTable& table);
void add_memory_operations(OpcodeTable& table);
void add_atomic_operations(OpcodeTable& table);
void add_warp_operations(OpcodeTable& table);
void add_control_operations(OpcodeTable& table);
void add_barrier_operations(OpcodeTable& table);
void add_matrix_operations(OpcodeTable& table);        // mma, ldmatrix, stmatrix
void add_warpgroup_operations(OpcodeTable& table);     // wgmma, setmaxnreg
void add_asynchronous_operations(OpcodeTable& table);  // cp.async, bulk copies, TMA, mbarrier

// All of them.
const OpcodeTable& opcode_table();

}  // namespace lodestone::ptx
