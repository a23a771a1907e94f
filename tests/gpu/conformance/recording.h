#pragma once
// What real hardware answered, in a text file: a line of who it was, then, for every kernel, a line
// of its name and the results of its first threads as hexadecimal words.
#include <filesystem>
#include <map>

#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

struct RecordedResults {
  std::uint32_t inputs = 0;  // fingerprint of the operands
  std::vector<std::uint32_t> words;
  bool operator==(const RecordedResults&) const = default;
};

struct Recording {
  std::string device;  // the card, its driver and the runtime
  std::map<std::string, RecordedResults> kernels;
  bool operator==(const Recording&) const = default;
};

// Throws kIo for a file that cannot be written.
void write_recording(const Recording& recording, const std::filesystem::path& path);
// Throws kIo for a file that cannot be read, kBadInput with the line for one that is no recording.
Recording read_recording(const std::filesystem::path& path);

// How results of a kernel differ from the recorded ones, a sentence each: of its operands, or of
// words. `outcomes` say how near an approximation must be.
std::vector<std::string> differences(const Recording& recording, const std::string& kernel,
                                     const RecordedResults& found,
                                     const std::vector<Outcome>& outcomes);

}  // namespace lodestone::gpu_tests
