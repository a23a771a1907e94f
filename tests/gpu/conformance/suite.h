#pragma once
// Every conformance kernel with its definition and operands, and how they are run.
#include <iosfwd>

#include "tests/gpu/conformance/recording.h"

namespace lodestone::gpu_tests {

struct ConformanceCase {
  ConformanceKernel kernel;
  Definition definition;

  const std::string& name() const { return kernel.name; }
  std::vector<std::uint32_t> inputs() const;
  // What the manual allows for each word of the results.
  std::vector<Outcome> expected() const;
  // Results of the device: of every thread, words_out each.
  std::vector<std::uint32_t> run() const;
  // The first threads of them, as a recording holds them.
  RecordedResults record() const;
};

// Its name.
std::ostream& operator<<(std::ostream& stream, const ConformanceCase& instruction);

// Throws kInternal for a kernel without a definition, or one that takes or gives other words.
std::vector<ConformanceCase> conformance_cases();

// "NVIDIA H200, driver 13.0, runtime 13.0"
std::string device_in_words();
// All cases, run now. Throws kDevice where it is the interpreter that runs them, and not hardware.
Recording record_hardware();

}  // namespace lodestone::gpu_tests
