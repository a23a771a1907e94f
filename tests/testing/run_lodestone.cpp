#include "tests/testing/run_lodestone.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/testing/temporary_folder.h"

namespace lodestone::testing {

namespace {

// One word of the shell.
std::string quoted(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\'')
      safe.append("'\\''");
    else
      safe.push_back(c);
  }
  return fmt::format("'{}'", safe);
}

std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return std::move(text).str();
}

}  // namespace

bool have_lodestone() {
  const char* binary = std::getenv("LODESTONE_BINARY");
  return binary && std::filesystem::exists(binary);
}

Outcome run_lodestone(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment) {
  const TemporaryFolder folder;
  const auto out = folder / "out", err = folder / "err";
  std::string command = "env";
  for (const std::string& assignment : environment)
    command += fmt::format(" {}", quoted(assignment));
  command += fmt::format(" {}", quoted(std::getenv("LODESTONE_BINARY")));
  for (const std::string& argument : arguments) command += fmt::format(" {}", quoted(argument));
  command += fmt::format(" >{} 2>{} </dev/null", quoted(out.string()), quoted(err.string()));
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(out), contents(err)};
}

}  // namespace lodestone::testing
