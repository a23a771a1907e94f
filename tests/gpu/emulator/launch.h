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

// A kernel with everything that it may call, decoded.
class KernelImage {
 public:
  // Throws kBadInput for an instruction that the instrument does not know.
  KernelImage(const Module& module, std::uint32_t kernel,
              const std::vector<std::uint64_t>& variable_addresses);

  const Function& function() const { return module_.functions[kernel_]; }
  const Program& program() const { return program(kernel_); }
  const Program& program(std::uint32_t function) const { return *programs_[function]; }
  const SharedLayout& shared() const { return shared_; }
  // Sizes of the kernel's parameters, and where they lie.
  const std::vector<Extent>& parameters() const { return parameters_; }
  std::uint32_t parameter_bytes() const;
  // Local memory of a thread, the stack of its calls included.
  std::uint32_t local_bytes() const { return local_bytes_; }

 private:
  const Module& module_;
  std::uint32_t kernel_;
  SharedLayout shared_;
  std::vector<std::unique_ptr<Program>> programs_;  // by function
  std::vector<Extent> parameters_;
  std::uint32_t local_bytes_ = 0;
};

// A module with memory for its variables. Kernels are decoded when first asked for.
class LoadedModule {
 public:
  LoadedModule(Module module, GlobalMemory& memory);
  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;

  const Module& module() const { return module_; }
  // Throws kInvalidArgument for a kernel that the module does not define.
  const KernelImage& kernel(std::string_view name) const;
  // Global or constant memory of a variable, or null.
  const Extent* variable(std::string_view name) const;

 private:
  void fill_variables();

  Module module_;
  std::vector<std::uint64_t> addresses_;  // of module_.variables
  std::map<std::string, Extent, std::less<>> variables_;
  mutable std::map<std::uint32_t, std::unique_ptr<KernelImage>> kernels_;
};

struct Launch {
  const KernelImage* image = nullptr;
  GlobalMemory* memory = nullptr;
  Dimensions grid, block;
  std::uint32_t dynamic_shared_bytes = 0;
  std::vector<std::byte> parameters;
  Options options;
  std::vector<MemoryObserver*> observers;

  const Program& program() const { return image->program(); }
  const std::string& name() const { return image->function().name; }
};

// Counts of one launch.
struct LaunchCounts {
  std::uint64_t warp_instructions = 0;
  std::uint64_t thread_instructions = 0;
};

// Runs every block. Throws KernelFault with the first finding; what ran before it has happened.
LaunchCounts run_launch(const Launch& launch);

}  // namespace lodestone::ptx
