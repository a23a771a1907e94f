#pragma once
// The two halves of the PTX parser: modules (directives, variables, signatures) and function
// bodies.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/gpu/emulator/lexer.h"
#include "tests/gpu/emulator/module.h"

namespace lodestone::ptx {

// Bits of a scalar type's name, "f32" or "pred"; 0 for what is no type.
std::uint32_t type_bits(std::string_view type);

// What both halves share: the text, and reading the words of a declaration.
class ParserBase {
 public:
  explicit ParserBase(Lexer& lexer) : lexer_(lexer) {}

 protected:
  const Token& peek() const { return lexer_.peek(); }
  bool accept(std::string_view word);
  void expect(std::string_view word);
  std::string_view expect_word();
  std::uint64_t expect_number();
  std::int64_t signed_number();
  struct Declaration {
    Variable variable;
    std::uint64_t element_bytes = 0;
  };
  // "[.align 4] .b8 name[12]", which follows the space, up to the initial value.
  Declaration declaration(AddressSpace space);
  [[noreturn]] void fail_at(std::string_view why) const;

  Lexer& lexer_;

 private:
  void array_sizes(Variable& variable, std::uint64_t element_bytes);
};

// The value of a literal: 12, 0x1F, 0f3F800000, 0d3FF0000000000000, 1.5. False for others.
bool parse_literal(std::string_view text, Operand& operand);

// The source locations of a module: `.file` and `.loc`.
class LocationTable {
 public:
  explicit LocationTable(Module& module) : module_(module) {}
  void add_file(std::uint64_t number, std::string_view name);
  // The location's index. (file, line, column) of the call when the code was inlined.
  using Position = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
  std::uint32_t add(Position position, const Position* inlined_at);

 private:
  Module& module_;
  std::map<Position, std::uint32_t> last_;  // nvcc writes a call's location before its callee's
};

// Parses what stands between the braces of a function.
class BodyParser : private ParserBase {
 public:
  BodyParser(Lexer& lexer, const Module& module, LocationTable& locations, Function& function);
  // The opening brace has been read; reads the closing one.
  void parse();

 private:
  // Names of one pair of braces.
  struct Scope {
    std::size_t parent = 0;
    std::map<std::string, std::uint32_t, std::less<>> registers{};
    std::map<std::string, std::uint32_t, std::less<>> variables{};
    std::map<std::string, std::uint32_t, std::less<>> labels{};
    std::map<std::string, std::vector<std::string>, std::less<>> target_lists{};
  };
  // A branch whose label may stand further down.
  struct PendingLabel {
    std::size_t instruction = 0;
    std::size_t operand = 0;
    std::size_t scope = 0;
    std::uint32_t line = 0;
  };
  void statement();
  void directive();
  void declare_registers();
  void declare_variable(AddressSpace space);
  void location();
  void label(std::string_view name);
  void branch_targets(std::string_view name);
  void instruction();
  std::optional<Guard> guard();
  void operands(Instruction& instruction);
  Operand operand(const Instruction& instruction, int depth);
  Operand address(const Instruction& instruction, int depth);
  Operand elements(const Instruction& instruction, std::string_view end, int depth);
  Operand named(const Instruction& instruction, std::string_view name);
  Operand variable(std::uint32_t index, bool is_module_level, std::string_view name);
  Operand literal();
  std::int64_t offset();
  void resolve_labels();
  void resolve(const PendingLabel& pending);
  Operand label_operand(std::string_view name, const PendingLabel& pending) const;
  template <class Value>
  const Value* find(std::map<std::string, Value, std::less<>> Scope::*names, std::string_view name,
                    std::size_t scope) const;

  const Module& module_;
  LocationTable& locations_;
  Function& function_;
  std::vector<Scope> scopes_;
  std::size_t scope_ = 0;
  std::vector<PendingLabel> pending_;
  std::uint32_t location_ = kNone;
  bool closed_ = false;
};

}  // namespace lodestone::ptx
