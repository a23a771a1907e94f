#include "tools/machine.h"

#include <fstream>

namespace lodestone::tools {

std::optional<std::string> proc_value(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return std::nullopt;
}

std::string processor_name() {
  return proc_value("/proc/cpuinfo", "model name").value_or("unknown");
}

}  // namespace lodestone::tools
