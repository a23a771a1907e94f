#pragma once
#include <string>
#include <vector>

namespace lodestone::tools {

struct LibraryVersion {
  std::string name, version, purpose;
};
// The libraries this binary runs with; loaded versions where a library can tell, else those it was
// compiled against.
std::vector<LibraryVersion> library_versions();

std::string version_text();  // "lodestone 0.1.0 (Release, GNU 12.2.0, for native, CPU only)"

}  // namespace lodestone::tools
