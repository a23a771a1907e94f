// Modules: directives, variables with their initial values, signatures of functions.
#include <algorithm>
#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/parser.h"

namespace lodestone::ptx {

namespace {

class ModuleParser : private ParserBase {
 public:
  explicit ModuleParser(Lexer& lexer) : ParserBase(lexer), locations_(module_) {}

  Module parse() {
    while (peek().kind != Token::Kind::kEnd) directive();
    return std::move(module_);
  }

 private:
  void directive();
  void linkage();
  void file();
  void section();
  void module_variable(AddressSpace space, bool is_external);
  void initial_value(Variable& variable, std::uint64_t element_bytes);
  void initial_element(Variable& variable, std::uint64_t at, std::uint64_t element_bytes);
  void symbol(Variable& variable, std::uint64_t at, std::uint64_t element_bytes);
  void function(bool is_entry);
  void parameters(Function& function, std::uint32_t& count);
  void bounds(Function& function);
  std::uint32_t thread_product();
  void keep(Function function);

  Module module_;
  LocationTable locations_;
};

void ModuleParser::directive() {
  if (accept(".version") || accept(".address_size")) {
    lexer_.next();
  } else if (accept(".target")) {
    module_.target = expect_word();
    while (accept(",")) expect_word();
  } else if (accept(".file")) {
    file();
  } else if (accept(".section")) {
    section();
  } else if (accept(".pragma")) {
    lexer_.next();
    expect(";");
  } else {
    linkage();
  }
}

void ModuleParser::linkage() {
  bool is_external = false;
  while (peek().is(".visible") || peek().is(".extern") || peek().is(".weak")) {
    is_external = is_external || peek().is(".extern");
    lexer_.next();
  }
  if (accept(".entry")) return function(true);
  if (accept(".func")) return function(false);
  if (accept(".global")) return module_variable(AddressSpace::kGlobal, is_external);
  if (accept(".const")) return module_variable(AddressSpace::kConstant, is_external);
  if (accept(".shared")) return module_variable(AddressSpace::kShared, is_external);
  fail_at("a directive of a module was expected");
}

void ModuleParser::file() {
  const std::uint64_t number = expect_number();
  if (peek().kind != Token::Kind::kString) fail_at("the name of a source file was expected");
  locations_.add_file(number, lexer_.next().text);
  while (accept(",")) expect_number();
}

// Debug information, which says nothing that `.loc` does not.
void ModuleParser::section() {
  expect_word();
  expect("{");
  while (peek().kind != Token::Kind::kEnd && !peek().is("}")) lexer_.next();
  expect("}");
}

void ModuleParser::module_variable(AddressSpace space, bool is_external) {
  auto [variable, element_bytes] = declaration(space);
  variable.is_external = is_external;
  if (accept("=")) initial_value(variable, element_bytes);
  expect(";");
  module_.variables.push_back(std::move(variable));
}

void ModuleParser::initial_value(Variable& variable, std::uint64_t element_bytes) {
  variable.initial.resize(variable.size);
  std::uint64_t at = 0;
  int depth = 0;
  do {
    while (accept("{")) ++depth;
    initial_element(variable, at, element_bytes);
    at += element_bytes;
    while (depth > 0 && accept("}")) --depth;
  } while (depth > 0 && accept(","));
  if (depth != 0) fail_at("an initial value is not closed");
}

void ModuleParser::initial_element(Variable& variable, std::uint64_t at,
                                   std::uint64_t element_bytes) {
  if (at + element_bytes > variable.size) fail_at("more initial values than the variable holds");
  if (peek().kind == Token::Kind::kWord) return symbol(variable, at, element_bytes);
  const bool negative = accept("-");
  Operand value;
  if (!parse_literal(lexer_.next().text, value)) fail_at("an initial value was expected");
  if (negative) value.bits = ~value.bits + 1;
  std::memcpy(variable.initial.data() + at, &value.bits, std::min<std::uint64_t>(element_bytes, 8));
}

void ModuleParser::symbol(Variable& variable, std::uint64_t at, std::uint64_t element_bytes) {
  Relocation relocation{.offset = at, .symbol = {}, .addend = 0, .is_generic = accept("generic")};
  if (element_bytes != 8) fail_at("an address is stored in a value that is not of 64 bits");
  if (relocation.is_generic) expect("(");
  relocation.symbol = expect_word();
  if (relocation.is_generic) expect(")");
  if (accept("+")) relocation.addend = signed_number();
  variable.relocations.push_back(std::move(relocation));
}

void ModuleParser::function(bool is_entry) {
  Function function;
  function.is_entry = is_entry;
  if (peek().is("(")) parameters(function, function.result_count);
  function.name = expect_word();
  if (peek().is("(")) parameters(function, function.parameter_count);
  bounds(function);
  if (accept(";")) return keep(std::move(function));
  expect("{");
  function.is_defined = true;
  // A function may call itself: its name is known in its body.
  keep(Function{.name = function.name, .is_entry = is_entry});
  BodyParser(lexer_, module_, locations_, function).parse();
  keep(std::move(function));
}

void ModuleParser::parameters(Function& function, std::uint32_t& count) {
  expect("(");
  while (!accept(")")) {
    expect(".param");
    function.variables.push_back(declaration(AddressSpace::kParameter).variable);
    ++count;
    if (!peek().is(")")) expect(",");
  }
}

void ModuleParser::bounds(Function& function) {
  for (;;) {
    if (accept(".maxntid")) {
      function.most_threads = thread_product();
    } else if (accept(".reqntid")) {
      function.required_threads = thread_product();
    } else if (accept(".minnctapersm") || accept(".maxnreg")) {
      expect_number();
    } else if (accept(".noreturn")) {
    } else if (accept(".pragma")) {
      lexer_.next();
      expect(";");
    } else {
      return;
    }
  }
}

std::uint32_t ModuleParser::thread_product() {
  std::uint64_t product = 1;
  do {
    const std::uint64_t extent = expect_number();
    if (extent == 0 || extent > 1024) fail_at("a block has 1 to 1,024 threads in a direction");
    product *= extent;
  } while (accept(","));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(product, 1u << 30));
}

void ModuleParser::keep(Function function) {
  for (Function& known : module_.functions) {
    if (known.name != function.name) continue;
    if (function.is_defined || !known.is_defined) known = std::move(function);
    return;
  }
  module_.functions.push_back(std::move(function));
}

}  // namespace

void LocationTable::add_file(std::uint64_t number, std::string_view name) {
  constexpr std::uint64_t kMostFiles = 10'000;
  check_input(number < kMostFiles, "PTX: source file number {} is above {}", number, kMostFiles);
  if (module_.files.size() <= number) module_.files.resize(number + 1);
  module_.files[number] = name;
}

std::uint32_t LocationTable::add(Position position, const Position* inlined_at) {
  std::uint32_t call = kNone;
  if (inlined_at != nullptr) {
    const auto known = last_.find(*inlined_at);
    call = known != last_.end() ? known->second : add(*inlined_at, nullptr);
  }
  const auto index = static_cast<std::uint32_t>(module_.locations.size());
  module_.locations.push_back({std::get<0>(position), std::get<1>(position), call});
  last_[position] = index;
  return index;
}

const Function* Module::find(std::string_view name) const {
  for (const Function& function : functions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

Module parse(std::string_view text) {
  Lexer lexer(text);
  return ModuleParser(lexer).parse();
}

}  // namespace lodestone::ptx
