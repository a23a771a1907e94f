// Bodies of functions: declarations, labels, instructions; names within the braces they belong to.
#include <algorithm>

#include "engine/core/check.h"
#include "tests/gpu/emulator/parser.h"

namespace lodestone::ptx {

namespace {

constexpr std::size_t kMostRegisters = 1'000'000;

// One line, however the source was broken and indented.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool takes_label(const Instruction& instruction) {
  return instruction.opcode == "bra" || instruction.opcode == "bra.uni" ||
         instruction.opcode == "brx.idx" || instruction.opcode == "brx.idx.uni";
}

}  // namespace

BodyParser::BodyParser(Lexer& lexer, const Module& module, LocationTable& locations,
                       Function& function)
    : ParserBase(lexer), module_(module), locations_(locations), function_(function), scopes_(1) {
  for (std::uint32_t i = 0; i < function.variables.size(); ++i) {
    scopes_[0].variables[function.variables[i].name] = i;
  }
}

void BodyParser::parse() {
  while (!closed_) statement();
  resolve_labels();
}

void BodyParser::statement() {
  if (accept("{")) {
    scopes_.push_back({.parent = scope_});
    scope_ = scopes_.size() - 1;
  } else if (accept("}")) {
    closed_ = scope_ == 0;
    scope_ = scopes_[scope_].parent;
  } else if (accept(";")) {
  } else if (peek().text.starts_with('.')) {
    directive();
  } else if (peek().is("@") || peek().kind == Token::Kind::kWord) {
    instruction();
  } else {
    fail_at("an instruction was expected");
  }
}

void BodyParser::directive() {
  if (accept(".reg")) return declare_registers();
  if (accept(".local")) return declare_variable(AddressSpace::kLocal);
  if (accept(".shared")) return declare_variable(AddressSpace::kShared);
  if (accept(".param")) return declare_variable(AddressSpace::kParameter);
  if (accept(".loc")) return location();
  if (accept(".pragma")) {
    lexer_.next();
    return expect(";");
  }
  fail_at("a directive of a function was expected");
}

void BodyParser::declare_registers() {
  const std::string type{expect_word().substr(1)};
  const std::uint32_t bits = type_bits(type);
  if (bits == 0 || bits > 64) fail_at("registers of this type are not supported");
  do {
    const std::string name{expect_word()};
    std::uint64_t count = 1;
    const bool numbered = accept("<");
    if (numbered) {
      count = expect_number();
      expect(">");
    }
    if (count > kMostRegisters || function_.registers.size() + count > kMostRegisters) {
      fail_at("a function has at most 1,000,000 registers");
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string full = numbered ? name + std::to_string(i) : name;
      scopes_[scope_].registers[full] = static_cast<std::uint32_t>(function_.registers.size());
      function_.registers.push_back({full, type, bits});
    }
  } while (accept(","));
  expect(";");
}

void BodyParser::declare_variable(AddressSpace space) {
  Variable declared = declaration(space).variable;
  expect(";");
  scopes_[scope_].variables[declared.name] = static_cast<std::uint32_t>(function_.variables.size());
  function_.variables.push_back(std::move(declared));
}

// .loc 2 449 5, function_name $L__info_string0, inlined_at 1 12 9
void BodyParser::location() {
  const auto position = [this] {
    const auto file = static_cast<std::uint32_t>(expect_number());
    const auto line = static_cast<std::uint32_t>(expect_number());
    return LocationTable::Position{file, line, static_cast<std::uint32_t>(expect_number())};
  };
  const LocationTable::Position own = position();
  std::optional<LocationTable::Position> call;
  while (accept(",")) {
    if (accept("inlined_at")) {
      call = position();
    } else {
      expect("function_name");
      expect_word();
      if (accept("+")) expect_number();
    }
  }
  location_ = locations_.add(own, call ? &*call : nullptr);
}

void BodyParser::label(std::string_view name) {
  if (accept(".branchtargets")) return branch_targets(name);
  if (accept(".callprototype")) {
    while (peek().kind != Token::Kind::kEnd && !peek().is(";")) lexer_.next();
    return expect(";");
  }
  scopes_[scope_].labels[std::string(name)] =
      static_cast<std::uint32_t>(function_.instructions.size());
}

void BodyParser::branch_targets(std::string_view name) {
  std::vector<std::string>& targets = scopes_[scope_].target_lists[std::string(name)];
  do {
    targets.emplace_back(expect_word());
  } while (accept(","));
  expect(";");
}

void BodyParser::instruction() {
  const std::size_t begin = lexer_.position();
  Instruction result;
  result.location = location_;
  result.guard = guard();
  result.opcode = expect_word();
  if (!result.guard && accept(":")) return label(result.opcode);
  if (!peek().is(";")) operands(result);
  result.text = one_line(lexer_.slice(begin, lexer_.position()));
  expect(";");
  function_.instructions.push_back(std::move(result));
}

std::optional<Guard> BodyParser::guard() {
  if (!accept("@")) return std::nullopt;
  Guard result{.predicate = 0, .negated = accept("!")};
  const std::string_view name = expect_word();
  const std::uint32_t* known = find(&Scope::registers, name, scope_);
  if (known == nullptr || function_.registers[*known].bits != 1) {
    fail_at(fmt::format("'{}' is not a predicate register", name));
  }
  result.predicate = *known;
  return result;
}

void BodyParser::operands(Instruction& instruction) {
  do {
    instruction.operands.push_back(operand(instruction, 0));
    if (instruction.operands.back().kind == Operand::Kind::kLabel) {
      pending_.push_back(
          {function_.instructions.size(), instruction.operands.size() - 1, scope_, peek().line});
    }
  } while (accept(","));
}

Operand BodyParser::operand(const Instruction& instruction, int depth) {
  if (depth > 3) fail_at("an operand is nested too deeply");
  if (accept("[")) return address(instruction, depth);
  if (accept("{")) return elements(instruction, "}", depth);
  if (accept("(")) return elements(instruction, ")", depth);
  if (peek().kind == Token::Kind::kNumber || peek().is("-")) return literal();
  const bool negated = accept("!");
  Operand result = named(instruction, expect_word());
  result.negated = negated;
  if (!accept("|")) return result;
  Operand pair{.kind = Operand::Kind::kPair};
  pair.elements.push_back(std::move(result));
  pair.elements.push_back(named(instruction, expect_word()));
  return pair;
}

// [base + offset, {coordinates}]
Operand BodyParser::address(const Instruction& instruction, int depth) {
  Operand result{.kind = Operand::Kind::kAddress};
  result.elements.push_back(operand(instruction, depth + 1));
  result.offset = offset();
  std::swap(result.offset, result.elements[0].offset);
  result.offset += result.elements[0].offset;
  result.elements[0].offset = 0;
  while (accept(",")) result.elements.push_back(operand(instruction, depth + 1));
  expect("]");
  return result;
}

Operand BodyParser::elements(const Instruction& instruction, std::string_view end, int depth) {
  Operand result{.kind = Operand::Kind::kVector};
  while (!accept(end)) {
    result.elements.push_back(operand(instruction, depth + 1));
    if (!peek().is(end)) expect(",");
  }
  return result;
}

Operand BodyParser::literal() {
  Operand result;
  const bool negative = accept("-");
  if (!parse_literal(lexer_.next().text, result)) fail_at("a number was expected");
  if (negative && result.literal == Operand::Literal::kInteger) result.bits = ~result.bits + 1;
  if (negative && result.literal == Operand::Literal::kDouble)
    result.bits ^= std::uint64_t{1} << 63;
  if (negative && result.literal == Operand::Literal::kSingle)
    result.bits ^= std::uint64_t{1} << 31;
  return result;
}

std::int64_t BodyParser::offset() {
  return accept("+") ? signed_number() : 0;
}

Operand BodyParser::named(const Instruction& instruction, std::string_view name) {
  Operand result{.kind = Operand::Kind::kDiscard, .name = std::string(name)};
  if (name == "_") return result;
  if (const std::uint32_t* known = find(&Scope::registers, name, scope_)) {
    result.kind = Operand::Kind::kRegister;
    result.index = *known;
    return result;
  }
  if (name.starts_with('%')) {
    result.kind = Operand::Kind::kSpecialRegister;
    return result;
  }
  if (name == "WARP_SZ") return {.kind = Operand::Kind::kImmediate, .bits = 32};
  if (takes_label(instruction)) {
    result.kind = Operand::Kind::kLabel;
    return result;
  }
  if (const std::uint32_t* known = find(&Scope::variables, name, scope_)) {
    return variable(*known, false, name);
  }
  for (std::uint32_t i = 0; i < module_.variables.size(); ++i) {
    if (module_.variables[i].name == name) return variable(i, true, name);
  }
  if (module_.find(name) == nullptr) fail_at(fmt::format("'{}' is not declared", name));
  result.kind = Operand::Kind::kFunction;
  return result;
}

Operand BodyParser::variable(std::uint32_t index, bool is_module_level, std::string_view name) {
  Operand result{.kind = Operand::Kind::kVariable, .name = std::string(name), .index = index};
  result.is_module_level = is_module_level;
  result.offset = offset();
  return result;
}

template <class Value>
const Value* BodyParser::find(std::map<std::string, Value, std::less<>> Scope::*names,
                              std::string_view name, std::size_t scope) const {
  for (;;) {
    const auto& known = scopes_[scope].*names;
    const auto found = known.find(name);
    if (found != known.end()) return &found->second;
    if (scope == 0) return nullptr;
    scope = scopes_[scope].parent;
  }
}

void BodyParser::resolve_labels() {
  for (const PendingLabel& pending : pending_) resolve(pending);
}

// A list of branch targets becomes a vector of labels.
void BodyParser::resolve(const PendingLabel& pending) {
  Operand& operand = function_.instructions[pending.instruction].operands[pending.operand];
  const auto* targets = find(&Scope::target_lists, operand.name, pending.scope);
  if (targets == nullptr) {
    operand = label_operand(operand.name, pending);
    return;
  }
  Operand list{.kind = Operand::Kind::kVector, .name = operand.name};
  for (const std::string& target : *targets) {
    list.elements.push_back(label_operand(target, pending));
  }
  operand = std::move(list);
}

Operand BodyParser::label_operand(std::string_view name, const PendingLabel& pending) const {
  const std::uint32_t* known = find(&Scope::labels, name, pending.scope);
  check_input(known != nullptr, "PTX line {}: the label '{}' is not defined", pending.line, name);
  return {.kind = Operand::Kind::kLabel, .name = std::string(name), .index = *known};
}

}  // namespace lodestone::ptx
