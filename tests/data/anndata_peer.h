#pragma once
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace lodestone::testing {

inline std::string python() {
  const char* given = std::getenv("LODESTONE_PYTHON");
  return given != nullptr && *given != '\0' ? given : "/usr/bin/python3";
}

inline bool has_anndata() {
  static const bool found =
      std::system((python() + " -c 'import anndata, h5py, scipy' > /dev/null 2>&1").c_str()) == 0;
  return found;
}

// Runs tests/data/anndata_peer.py and gives what it prints.
inline nlohmann::json ask_anndata(const std::string& command, const std::string& path) {
  const std::string line = python() + " tests/data/anndata_peer.py " + command + " '" + path + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(line.c_str(), "r"), ::pclose);
  if (!pipe) throw std::runtime_error("cannot run " + line);
  std::string text;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;)
    text.append(buffer, count);
  return nlohmann::json::parse(text);
}

}  // namespace lodestone::testing
