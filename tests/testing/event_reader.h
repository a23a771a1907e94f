#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace lodestone::testing {

// What TensorBoard shows of a folder of event files: a line "TAG STEP VALUE" for each value that no
// later restart made void, by tags and steps. A reader of its own, from the description of the
// formats alone. Throws std::runtime_error on a file that is not whole.
std::vector<std::string> shown_scalars(const std::filesystem::path& folder);

// The event files, in the order in which they are read.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);

}  // namespace lodestone::testing
