#include "tests/gpu/ptx_program.h"

#include <algorithm>

namespace lodestone::ptx {

namespace {

constexpr const char* kNames[]{"%a", "%b", "%c"};

}  // namespace

std::string instruction_kernel(const std::string& instructions, std::uint32_t result_bits,
                               const std::vector<std::uint32_t>& source_bits) {
  std::string parameters, body;
  for (std::size_t i = 0; i <= source_bits.size(); ++i) {
    parameters += fmt::format("{}.param .u64 p{}", i == 0 ? "" : ", ", i);
  }
  for (std::size_t i = 0; i < source_bits.size(); ++i) {
    const std::uint32_t bits = source_bits[i];
    body += fmt::format(
        ".reg .b{0} {1};\n ld.param.u64 %place, [p{2}];\n mad.wide.u32 %place, %thread, {3}, "
        "%place;\n"
        " ld.global.b{0} {1}, [%place];\n",
        bits, kNames[i], i + 1, bits / 8);
  }
  return ptx_header() +
         fmt::format(
             ".visible .entry k({0})\n{{\n.reg .pred %p, %q;\n.reg .b32 %thread, %t;\n"
             ".reg .b64 %place;\n.reg .b{1} %d;\n mov.u32 %thread, %tid.x;\n{2}{3}\n"
             " ld.param.u64 %place, [p0];\n mad.wide.u32 %place, %thread, {4}, %place;\n"
             " st.global.b{1} [%place], %d;\n ret;\n}}\n",
             parameters, result_bits, body, instructions, result_bits / 8);
}

void run_instructions(const std::string& instructions, std::size_t count, void* result,
                      std::uint32_t result_bits, const std::vector<const void*>& sources,
                      const std::vector<std::uint32_t>& source_bits) {
  PtxProgram program(instruction_kernel(instructions, result_bits, source_bits));
  constexpr std::size_t kMostThreads = 1024;
  for (std::size_t begin = 0; begin < count; begin += kMostThreads) {
    const std::size_t threads = std::min(kMostThreads, count - begin);
    std::byte* place = program.memory().allocate(threads * result_bits / 8);
    std::vector<std::uint64_t> parameters{reinterpret_cast<std::uint64_t>(place)};
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::size_t bytes = source_bits[i] / 8;
      std::byte* source = program.memory().allocate(threads * bytes);
      std::memcpy(source, static_cast<const std::byte*>(sources[i]) + begin * bytes,
                  threads * bytes);
      parameters.push_back(reinterpret_cast<std::uint64_t>(source));
    }
    program.run("k", 1, static_cast<std::uint32_t>(threads), parameters);
    std::memcpy(static_cast<std::byte*>(result) + begin * result_bits / 8, place,
                threads * result_bits / 8);
  }
}

}  // namespace lodestone::ptx
