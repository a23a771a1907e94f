#pragma once
// The lodestone binary as a process that can be struck: by signals, and by the fault shim
// (tests/faults/shim), which CTest names in LODESTONE_FAULT_SHIM.
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/testing/temporary_folder.h"

namespace lodestone::testing {

// What the shim does; the variables of tests/faults/shim/fault_shim.cpp. Nothing by default.
struct Fault {
  std::string what;  // kill, power, ENOSPC, EIO
  std::string at;    // KIND:N or ms:N
  std::string in;    // only calls whose path contains this
  long lasts = 0;    // calls that fail; 0 = all from there on
  std::uint64_t seed = 0;
  bool disk_lies = false;  // nothing is ever flushed

  std::string text() const;
};

struct Ending {
  int exit = -1;   // -1: killed
  int signal = 0;  // by this
  std::string err;
};

class Process {
 public:
  // Starts lodestone with these arguments. Only files below `root` (absolute) are struck.
  Process(const std::vector<std::string>& arguments, const std::filesystem::path& root,
          const Fault& fault);
  ~Process();  // kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  Ending wait();
  // After wait(): how many calls of each kind there were; empty when the process was killed.
  std::map<std::string, long> calls() const;

 private:
  TemporaryFolder folder_;  // what it says
  pid_t process_ = -1;
};

Ending run_with_fault(const std::vector<std::string>& arguments, const std::filesystem::path& root,
                      const Fault& fault = {});

// False outside CTest, which names the binary and the shim.
bool have_fault_shim();

}  // namespace lodestone::testing
