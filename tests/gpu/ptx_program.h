#pragma once
// Runs PTX text with the interpreter: one instruction on many values, or a whole module.
#include <fmt/format.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

// A module and its memory.
class PtxProgram {
 public:
  explicit PtxProgram(const std::string& text) : module_(parse(text), memory_) {}

  GlobalMemory& memory() { return memory_; }
  const LoadedModule& module() const { return module_; }

  // Runs the kernel without observers; every parameter has 64 bits.
  void run(std::string_view kernel, std::uint32_t blocks, std::uint32_t threads,
           const std::vector<std::uint64_t>& parameters, const Options& options = {}) {
    Launch launch;
    launch.image = &module_.kernel(kernel);
    launch.memory = &memory_;
    launch.grid = {blocks, 1, 1};
    launch.block = {threads, 1, 1};
    launch.options = options;
    const auto bytes = std::as_bytes(std::span(parameters));
    launch.parameters.assign(bytes.begin(), bytes.end());
    run_launch(launch);
  }

 private:
  GlobalMemory memory_;
  LoadedModule module_;
};

inline std::string ptx_header() {
  return ".version 9.0\n.target sm_90a\n.address_size 64\n";
}

// The text of a kernel whose thread i loads %a, %b, %c (as many as `sources`) from its parameters,
// runs the instructions and stores %d. Bits of each.
std::string instruction_kernel(const std::string& instructions, std::uint32_t result_bits,
                               const std::vector<std::uint32_t>& source_bits);

// Runs instructions on `count` threads; `sources` are arrays of source_bits[i] each.
void run_instructions(const std::string& instructions, std::size_t count, void* result,
                      std::uint32_t result_bits, const std::vector<const void*>& sources,
                      const std::vector<std::uint32_t>& source_bits);

// d[i] = instruction(a[i], b[i], c[i]); "add.f32 %d, %a, %b;"
template <class To, class... From>
std::vector<To> run_instruction(const std::string& instructions,
                                const std::vector<From>&... sources) {
  const std::vector<std::size_t> sizes{sources.size()...};
  std::vector<To> result(sizes.front());
  run_instructions(instructions, result.size(), result.data(), 8 * sizeof(To), {sources.data()...},
                   {8 * sizeof(From)...});
  return result;
}

}  // namespace lodestone::ptx
