#include "tests/gpu/emulator/finding.h"

#include <fmt/format.h>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/demangle.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string text_of(const Dimensions& index) {
  return fmt::format("({}, {}, {})", index.x, index.y, index.z);
}

}  // namespace

std::string Finding::text() const {
  std::string result = message;
  for (std::size_t i = 0; i < where.size(); ++i) {
    result +=
        fmt::format("\n  {} {}:{}", i == 0 ? "at" : "inlined at", where[i].file, where[i].line);
  }
  return result + fmt::format("\n  instruction: {}\n  thread {} of block {} of {}", instruction,
                              text_of(thread), text_of(block), kernel);
}

std::vector<SourceLine> source_lines(const Program& program, const Operation& operation) {
  std::vector<SourceLine> lines;
  if (operation.instruction == kNone) return lines;
  std::uint32_t at = program.function->instructions[operation.instruction].location;
  constexpr std::size_t kMostLines = 16;
  while (at != kNone && lines.size() < kMostLines) {
    const Location& location = program.module->locations[at];
    const auto& files = program.module->files;
    lines.push_back(
        {location.file < files.size() ? base_name(files[location.file]) : "?", location.line});
    at = location.inlined_at;
  }
  return lines;
}

std::string user_line(const Program& program, const Operation& operation) {
  const std::vector<SourceLine> lines = source_lines(program, operation);
  return lines.empty() ? "?" : fmt::format("{}:{}", lines.back().file, lines.back().line);
}

void report(const Warp& warp, const Operation& operation, std::uint32_t lane, FindingKind kind,
            std::string message) {
  const Program& program = warp.program();
  Finding finding{.kind = kind, .message = std::move(message)};
  finding.where = source_lines(program, operation);
  finding.instruction = operation.instruction == kNone
                            ? "the end of the function"
                            : program.function->instructions[operation.instruction].text;
  finding.thread = warp.block().thread_index(warp.thread(lane));
  finding.block = warp.block().index();
  finding.kernel = demangled(warp.block().launch().name());
  throw KernelFault(std::move(finding));
}

}  // namespace lodestone::ptx
