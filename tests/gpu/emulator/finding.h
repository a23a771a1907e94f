#pragma once
// What the instrument finds wrong with a kernel, and how that ends the launch.
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

enum class FindingKind : std::uint8_t {
  kOutOfBounds,
  kMisaligned,
  kRace,
  kUninitialised,
  kDivergence,  // lanes of a warp, or warps of a block, that are not where they must meet
  kDeadlock,
  kAsynchronous,  // misuse of an mbarrier, a tensor map, a copy
  kAssertion,
  kTrap,
  kLimit,  // more instructions than a launch may run
};

struct Dimensions {
  std::uint32_t x = 1, y = 1, z = 1;
  std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

struct SourceLine {
  std::string file;
  std::uint32_t line = 0;
};

struct Finding {
  FindingKind kind = FindingKind::kTrap;
  std::string message{};
  std::vector<SourceLine> where{};  // innermost first: a function inlined, then where it was called
  std::string instruction{};
  Dimensions thread{}, block{};
  std::string kernel{};

  // Several lines: message, places, instruction, thread, block, kernel.
  std::string text() const;
};

class KernelFault : public std::exception {
 public:
  explicit KernelFault(Finding finding) : finding_(std::move(finding)), text_(finding_.text()) {}
  const Finding& finding() const noexcept { return finding_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Finding finding_;
  std::string text_;
};

// The lines of an instruction, innermost first.
std::vector<SourceLine> source_lines(const Program& program, const Operation& operation);
// "file.cu:12", the line that a user wrote: the outermost of those.
std::string user_line(const Program& program, const Operation& operation);

// Ends the launch with a finding about one lane of the warp.
[[noreturn]] void report(const Warp& warp, const Operation& operation, std::uint32_t lane,
                         FindingKind kind, std::string message);

}  // namespace lodestone::ptx
