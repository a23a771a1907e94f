#include "tests/gpu/emulator/lexer.h"

#include "engine/core/check.h"

namespace lodestone::ptx {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '$' || c == '%' || c == '.';
}

}  // namespace

void Lexer::advance() {
  skip_blank();
  token_begin_ = at_;
  token_ = scan();
}

void Lexer::skip_blank() {
  while (at_ < text_.size()) {
    const char c = look();
    if (c == '\n') ++line_;
    if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (!skip_comment()) {
      return;
    }
  }
}

bool Lexer::skip_comment() {
  if (look() != '/') return false;
  if (look(1) == '/') {
    at_ = std::min(text_.find('\n', at_), text_.size());
    return true;
  }
  if (look(1) != '*') return false;
  const std::size_t end = std::min(text_.find("*/", at_ + 2), text_.size());
  for (; at_ < end; ++at_) line_ += look() == '\n' ? 1 : 0;
  at_ = std::min(end + 2, text_.size());
  return true;
}

Token Lexer::scan() {
  if (at_ >= text_.size()) return {Token::Kind::kEnd, "", line_};
  const char c = look();
  if (is_digit(c)) return scan_number();
  if (c == '"') return scan_string();
  if (is_word(c)) return scan_word();
  const std::size_t begin = at_++;
  return token(Token::Kind::kSign, begin);
}

// "::" joins two words ("shared::cta"); one colon ends a label. ".reg.b32" is two directives.
Token Lexer::scan_word() {
  const std::size_t begin = at_++;
  const bool is_directive = text_[begin] == '.';
  for (;;) {
    if (is_word(look()) && !(is_directive && look() == '.')) {
      ++at_;
    } else if (look() == ':' && look(1) == ':' && is_word(look(2))) {
      at_ += 2;
    } else {
      return token(Token::Kind::kWord, begin);
    }
  }
}

Token Lexer::scan_number() {
  const std::size_t begin = at_;
  while (is_digit(look()) || is_letter(look()) || look() == '.') ++at_;
  return token(Token::Kind::kNumber, begin);
}

Token Lexer::scan_string() {
  const std::size_t begin = ++at_;
  while (at_ < text_.size() && look() != '"' && look() != '\n') ++at_;
  check_input(look() == '"', "PTX line {}: a string is not closed", line_);
  Token result = token(Token::Kind::kString, begin);
  ++at_;
  return result;
}

void Lexer::skip_line() {
  const std::uint32_t line = token_.line;
  while (token_.kind != Token::Kind::kEnd && token_.line == line) advance();
}

}  // namespace lodestone::ptx
