#pragma once
// Loading a module and running a kernel of it, block after block.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/observer.h"
#include "tests/gpu/emulator/options.h"
#include "tests/gpu/emulator/translator.h"

namespace lodestone::ptx {

// A module with memory for its variables; functions are decoded when first called.
class LoadedModule {
 public:
  LoadedModule(Module module, GlobalMemory& memory);

  const Module& module() const { return module_; }
  const Program& program(std::uint32_t function) const;
  // Throws kInvalidArgument for a kernel that the module does not define.
  std::uint32_t kernel(std::string_view name) const;
  // Global or constant memory of a variable, or null.
  const Extent* variable(std::string_view name) const;

 private:
  Module module_;
  VariableAddresses addresses_;
  std::map<std::string, Extent, std::less<>> variables_;
  mutable std::vector<std::unique_ptr<Program>> programs_;
};

struct Launch {
  const LoadedModule* module = nullptr;
  GlobalMemory* memory = nullptr;
  std::uint32_t kernel = 0;  // index in Module::functions
  Dimensions grid, block;
  std::uint32_t dynamic_shared_bytes = 0;
  std::vector<std::byte> parameters;
  Options options;
  std::vector<MemoryObserver*> observers;

  const Program& program() const { return module->program(kernel); }
  const std::string& name() const { return module->module().functions[kernel].name; }
};

// Counts of one launch.
struct LaunchCounts {
  std::uint64_t warp_instructions = 0;
  std::uint64_t thread_instructions = 0;
};

// Runs every block. Throws KernelFault with the first finding; what ran before it has happened.
LaunchCounts run_launch(const Launch& launch);

}  // namespace lodestone::ptx
