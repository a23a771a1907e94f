#include "tools/exit_code.h"

#include <fmt/format.h>

#include <cstdio>
#include <new>
#include <system_error>

#include "engine/core/check.h"

namespace lodestone::tools {

namespace {

ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return kExitUsage;
    case ErrorKind::kBadInput:
      return kExitBadInput;
    case ErrorKind::kOutOfMemory:
      return kExitNoRoom;
    case ErrorKind::kNumeric:
      return kExitNumeric;
    case ErrorKind::kCommunication:
      return kExitCommunication;
    case ErrorKind::kDevice:
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
      return kExitRuntime;
  }
  return kExitRuntime;
}

}  // namespace

int report_failure(ExitCode code, std::string_view sentence) {
  fmt::print(stderr, "lodestone: {}\n", sentence);
  return code;
}

int exit_code_of(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    const bool ours = error.kind() == ErrorKind::kInternal;
    return report_failure(exit_code(error.kind()),
                          ours ? fmt::format("{} (a bug: {}:{})", error.what(),
                                             error.where().file_name(), error.where().line())
                               : error.what());
  } catch (const std::bad_alloc&) {
    return report_failure(kExitNoRoom,
                          "out of memory: use smaller batches or a machine with more memory");
  } catch (const std::system_error& error) {
    const bool full = error.code() == std::errc::no_space_on_device ||
                      error.code() == std::errc::not_enough_memory;
    return report_failure(full ? kExitNoRoom : kExitRuntime, error.what());
  } catch (const std::exception& error) {
    return report_failure(kExitRuntime, error.what());
  }
}

}  // namespace lodestone::tools
