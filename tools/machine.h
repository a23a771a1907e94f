#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lodestone::tools {

// The value of the first line "KEY : value" or "KEY: value" of a file of /proc.
std::optional<std::string> proc_value(const char* file, std::string_view key);

std::string processor_name();  // "unknown" where the system does not say

}  // namespace lodestone::tools
