#include "tests/testing/faults.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace lodestone::testing {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// Our environment and the shim's variables.
std::vector<std::string> environment(const Fault& fault, const std::string& root,
                                     const std::string& report) {
  std::vector<std::string> all;
  for (char** variable = ::environ; *variable; ++variable) all.emplace_back(*variable);
  all.push_back(fmt::format("LD_PRELOAD={}", std::getenv("LODESTONE_FAULT_SHIM")));
  // The address sanitizer wants to be the first library.
  all.emplace_back("ASAN_OPTIONS=verify_asan_link_order=0");
  all.push_back("FAULT_ROOT=" + root);
  all.push_back("FAULT_REPORT=" + report);
  all.push_back("FAULT=" + fault.what);
  all.push_back("FAULT_AT=" + fault.at);
  all.push_back("FAULT_IN=" + fault.in);
  if (fault.lasts > 0) all.push_back(fmt::format("FAULT_LASTS={}", fault.lasts));
  all.push_back(fmt::format("FAULT_SEED={}", fault.seed));
  if (fault.disk_lies) all.emplace_back("FAULT_LIES=1");
  return all;
}

}  // namespace

std::string Fault::text() const {
  if (what.empty()) return "nothing";
  return fmt::format("{} at {}{}{}{}", what, at, in.empty() ? "" : " in " + in,
                     lasts > 0 ? fmt::format(", {} calls", lasts) : "",
                     what == "power" ? fmt::format(", seed {}", seed) : "");
}

Process::Process(const std::vector<std::string>& arguments, const std::filesystem::path& root,
                 const Fault& fault) {
  std::vector<std::string> words{std::getenv("LODESTONE_BINARY")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables =
      environment(fault, root.string(), (folder_ / "calls").string());
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);
  const std::string err = (folder_ / "err").string();
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ > 0) return;
  const int nothing = ::open("/dev/null", O_RDWR);
  const int said = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(said, STDERR_FILENO);
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

Process::~Process() {
  if (process_ < 0) return;
  send(SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void Process::send(int signal) const {
  ::kill(process_, signal);
}

Ending Process::wait() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0)
    if (errno != EINTR) throw std::runtime_error("cannot wait");
  process_ = -1;
  std::ostringstream said;
  said << std::ifstream(folder_ / "err").rdbuf();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
          std::move(said).str()};
}

std::map<std::string, long> Process::calls() const {
  std::map<std::string, long> calls;
  std::ifstream report(folder_ / "calls");
  std::string kind;
  for (long count = 0; report >> kind >> count;) calls[kind] = count;
  return calls;
}

Ending run_with_fault(const std::vector<std::string>& arguments, const std::filesystem::path& root,
                      const Fault& fault) {
  return Process(arguments, root, fault).wait();
}

bool have_fault_shim() {
  const char* shim = std::getenv("LODESTONE_FAULT_SHIM");
  return shim && std::filesystem::exists(shim) && std::getenv("LODESTONE_BINARY");
}

}  // namespace lodestone::testing
