// Words that both modules and bodies are made of: declarations, types, literals.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "engine/core/check.h"
#include "tests/gpu/emulator/parser.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 32;  // of a variable

}  // namespace

std::string_view name_of(AddressSpace space) {
  constexpr std::array<std::string_view, 6> kNames{"generic", "global",   "shared",
                                                   "local",   "constant", "parameter"};
  return kNames.at(static_cast<std::size_t>(space));
}

std::uint32_t type_bits(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::uint32_t>, 21> kTypes{
      {{"pred", 1}, {"b8", 8},    {"u8", 8},     {"s8", 8},      {"b16", 16}, {"u16", 16},
       {"s16", 16}, {"f16", 16},  {"bf16", 16},  {"b32", 32},    {"u32", 32}, {"s32", 32},
       {"f32", 32}, {"tf32", 32}, {"f16x2", 32}, {"bf16x2", 32}, {"b64", 64}, {"u64", 64},
       {"s64", 64}, {"f64", 64},  {"b128", 128}}};
  const auto* found = std::ranges::find(kTypes, type, &decltype(kTypes)::value_type::first);
  return found == kTypes.end() ? 0 : found->second;
}

bool ParserBase::accept(std::string_view word) {
  if (!peek().is(word)) return false;
  lexer_.next();
  return true;
}

void ParserBase::expect(std::string_view word) {
  if (!accept(word)) fail_at(fmt::format("'{}' was expected", word));
}

std::string_view ParserBase::expect_word() {
  if (peek().kind != Token::Kind::kWord) fail_at("a name was expected");
  return lexer_.next().text;
}

std::uint64_t ParserBase::expect_number() {
  Operand value;
  if (peek().kind != Token::Kind::kNumber || !parse_literal(peek().text, value)) {
    fail_at("a number was expected");
  }
  lexer_.next();
  return value.bits;
}

std::int64_t ParserBase::signed_number() {
  const bool negative = accept("-");
  const std::uint64_t value = expect_number();
  return static_cast<std::int64_t>(negative ? ~value + 1 : value);
}

void ParserBase::fail_at(std::string_view why) const {
  fail(ErrorKind::kBadInput, "PTX line {}: {}, found '{}'", peek().line, why, peek().text);
}

ParserBase::Declaration ParserBase::declaration(AddressSpace space) {
  Declaration result;
  Variable& variable = result.variable;
  std::uint64_t& element_bytes = result.element_bytes;
  variable.space = space;
  std::uint64_t vector = 1;
  while (peek().text.starts_with('.')) {
    if (accept(".align")) {
      const std::uint64_t alignment = expect_number();
      if (alignment == 0 || alignment > 4096 || (alignment & (alignment - 1)) != 0) {
        fail_at("an alignment is a power of two up to 4,096");
      }
      variable.alignment = std::max(variable.alignment, static_cast<std::uint32_t>(alignment));
    } else if (accept(".ptr")) {
      // The parameter is a pointer; the space and alignment of what it points to follow.
      while (accept(".global") || accept(".shared") || accept(".const") || accept(".local")) {
      }
      if (accept(".align")) expect_number();
    } else if (accept(".v2")) {
      vector = 2;
    } else if (accept(".v4")) {
      vector = 4;
    } else {
      element_bytes = type_bits(expect_word().substr(1)) / 8;
      if (element_bytes == 0) fail_at("the type of a variable was expected");
      variable.alignment = std::max(variable.alignment, static_cast<std::uint32_t>(element_bytes));
    }
  }
  if (element_bytes == 0) fail_at("the type of a variable was expected");
  variable.name = expect_word();
  array_sizes(variable, element_bytes * vector);
  return result;
}

void ParserBase::array_sizes(Variable& variable, std::uint64_t element_bytes) {
  variable.size = element_bytes;
  while (accept("[")) {
    const std::uint64_t count = peek().is("]") ? 0 : expect_number();
    if (count > kMostBytes) fail_at("the array is too large");
    variable.size *= count;
    if (variable.size > kMostBytes) fail_at("the array is too large");
    expect("]");
  }
}

namespace {

bool parse_hexadecimal(std::string_view digits, std::uint64_t& bits) {
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), bits, 16);
  return error == std::errc() && end == digits.end() && !digits.empty();
}

}  // namespace

bool parse_literal(std::string_view text, Operand& operand) {
  operand.kind = Operand::Kind::kImmediate;
  operand.literal = Operand::Literal::kInteger;
  if (text.starts_with("0f") || text.starts_with("0F")) {
    operand.literal = Operand::Literal::kSingle;
    return parse_hexadecimal(text.substr(2), operand.bits);
  }
  if (text.starts_with("0d") || text.starts_with("0D")) {
    operand.literal = Operand::Literal::kDouble;
    return parse_hexadecimal(text.substr(2), operand.bits);
  }
  if (text.find('.') != std::string_view::npos) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    operand.literal = Operand::Literal::kDouble;
    operand.bits = std::bit_cast<std::uint64_t>(value);
    return error == std::errc() && end == text.end();
  }
  if (text.ends_with('U')) text.remove_suffix(1);
  if (text.starts_with("0x") || text.starts_with("0X")) {
    return parse_hexadecimal(text.substr(2), operand.bits);
  }
  const bool is_octal = text.size() > 1 && text.front() == '0';
  const auto [end, error] =
      std::from_chars(text.begin(), text.end(), operand.bits, is_octal ? 8 : 10);
  return error == std::errc() && end == text.end() && !text.empty();
}

}  // namespace lodestone::ptx
