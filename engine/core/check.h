#pragma once
// Checks with a formatted message (host code only). The message is one sentence that says what was
// expected and what was found; it is formatted only when the check fails.
#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "engine/core/error.h"

namespace lodestone {

// A condition that remembers the line that wrote it.
struct Condition {
  Condition(bool is_true, std::source_location location = std::source_location::current())
      : holds(is_true), where(location) {}
  bool holds;
  std::source_location where;
};

// An error kind that remembers the line that named it.
struct Fault {
  Fault(ErrorKind of, std::source_location location = std::source_location::current())
      : kind(of), where(location) {}
  ErrorKind kind;
  std::source_location where;
};

template <class... Args>
[[noreturn]] void fail(Fault fault, fmt::format_string<Args...> message, Args&&... args) {
  throw_error(fault.kind, fmt::format(message, std::forward<Args>(args)...), fault.where);
}

// Throws kInvalidArgument unless the condition holds.
template <class... Args>
void check(Condition condition, fmt::format_string<Args...> message, Args&&... args) {
  if (condition.holds) [[likely]]
    return;
  throw_error(ErrorKind::kInvalidArgument, fmt::format(message, std::forward<Args>(args)...),
              condition.where);
}

// Throws kBadInput unless the condition holds: for every number that a file or a user gave.
template <class... Args>
void check_input(Condition condition, fmt::format_string<Args...> message, Args&&... args) {
  if (condition.holds) [[likely]]
    return;
  throw_error(ErrorKind::kBadInput, fmt::format(message, std::forward<Args>(args)...),
              condition.where);
}

}  // namespace lodestone
