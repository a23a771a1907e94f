#pragma once
#include <string>

namespace lodestone::ptx {

// The name of a function as it was written; names that are not mangled stay as they are.
std::string demangled(const std::string& name);

}  // namespace lodestone::ptx
