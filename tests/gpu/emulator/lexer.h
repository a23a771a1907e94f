#pragma once
// Cuts PTX into words, numbers, strings and signs.
#include <cstdint>
#include <string>
#include <string_view>

namespace lodestone::ptx {

struct Token {
  enum class Kind : std::uint8_t { kWord, kNumber, kString, kSign, kEnd };
  Kind kind = Kind::kEnd;
  std::string_view text;  // of a string: without its quotes
  std::uint32_t line = 0;

  bool is(std::string_view word) const { return kind != Kind::kString && text == word; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { advance(); }

  const Token& peek() const { return token_; }
  Token next() {
    const Token token = token_;
    advance();
    return token;
  }
  // Skips to the end of the line that the next token is on.
  void skip_line();
  // Where the next token begins, to quote the source.
  std::size_t position() const { return token_begin_; }
  std::string_view slice(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end - begin);
  }

 private:
  void advance();
  void skip_blank();
  bool skip_comment();
  Token scan();
  Token scan_word();
  Token scan_number();
  Token scan_string();
  Token token(Token::Kind kind, std::size_t begin) const {
    return {kind, text_.substr(begin, at_ - begin), line_};
  }
  char look(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t token_begin_ = 0;
  std::uint32_t line_ = 1;
  Token token_;
};

}  // namespace lodestone::ptx
