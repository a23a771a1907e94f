#pragma once
#include <string>

namespace lodestone {

// As the system calls this machine; "unknown" where it has no name.
std::string host_name();

}  // namespace lodestone
