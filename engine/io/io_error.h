#pragma once
// Inside engine/io/*.cpp only: what the system refused, as our errors.
#include <filesystem>
#include <string_view>

namespace lodestone {

// `doing` is "open", "write", ...; `error` an errno. A full disk is kOutOfMemory, all else kIo.
[[noreturn]] void fail_io(std::string_view doing, const std::filesystem::path& path, int error);

// The same of a file to be read: one that is not there is kBadInput.
[[noreturn]] void fail_read(std::string_view doing, const std::filesystem::path& path, int error);

}  // namespace lodestone
