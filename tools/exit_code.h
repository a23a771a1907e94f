#pragma once
#include <functional>
#include <string_view>

namespace lodestone::tools {

// Exit codes of every command (128 + n: killed by signal n).
enum ExitCode : int {
  kExitOk = 0,
  kExitRuntime = 1,
  kExitUsage = 2,     // usage or settings
  kExitBadInput = 3,  // input data
  kExitNoRoom = 4,    // memory or disk
  kExitNumeric = 5,
  kExitCommunication = 6,
  kExitRequeue = 75,  // stopped by a signal after saving
};

// Says one sentence on stderr and gives back the code.
int report_failure(ExitCode code, std::string_view sentence);

// What `body` returns, or the code of what it throws, which is said on stderr: the only place where
// exceptions end.
int exit_code_of(const std::function<int()>& body);

}  // namespace lodestone::tools
