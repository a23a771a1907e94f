#pragma once
// One line per event on stderr. `tools` sets it up; library code only calls these.
#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace lodestone::log {

enum class Level { kInfo, kWarning, kError };

// Lines below this level are dropped (--quiet sets kWarning).
void set_level(Level level);
void write(Level level, std::string_view line);

template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kInfo, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kWarning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kError, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace lodestone::log
