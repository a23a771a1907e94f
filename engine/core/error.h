#pragma once
// What went wrong, and whose doing it was. Free of fmt, so that CUDA sources may include it;
// host code formats its messages through engine/core/check.h.
#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>

namespace lodestone {

enum class ErrorKind : std::uint8_t {
  kInvalidArgument,  // a caller broke a contract, or a user a setting
  kBadInput,         // a file holds something that cannot be used
  kOutOfMemory,      // memory or disk
  kDevice,
  kIo,
  kCommunication,
  kNumeric,  // a number that must be finite is not
  kInternal,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::source_location where)
      : std::runtime_error(message), kind_(kind), where_(where) {}
  ErrorKind kind() const noexcept { return kind_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  ErrorKind kind_;
  std::source_location where_;
};

[[noreturn]] void throw_error(ErrorKind kind, const std::string& message,
                              std::source_location where = std::source_location::current());

}  // namespace lodestone
