#pragma once
// The one device of the replaced runtime: its memory, what programs have registered, its errors.
#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/core/error.h"
#include "tests/gpu/emulator/finding.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

// A fat binary. Its PTX is parsed when something of it is first used.
class RegisteredModule {
 public:
  explicit RegisteredModule(const void* fat_binary) : fat_binary_(fat_binary) {}
  const LoadedModule& loaded(GlobalMemory& memory);

 private:
  const void* fat_binary_;
  std::unique_ptr<LoadedModule> loaded_;
};

struct RegisteredKernel {
  RegisteredModule* module = nullptr;
  std::string name;
  std::uint32_t most_dynamic_shared_bytes = 48 * 1024;  // cudaFuncSetAttribute raises it
};

struct RegisteredVariable {
  RegisteredModule* module = nullptr;
  std::string name;
  std::size_t size = 0;
};

class DeviceState {
 public:
  GlobalMemory& memory() { return memory_; }
  RegisteredModule* add_module(const void* fat_binary);

  // By the address of the host's stub.
  std::unordered_map<const void*, RegisteredKernel> kernels;
  std::unordered_map<const void*, RegisteredVariable> variables;
  std::map<const void*, std::size_t> pinned;  // host memory that the device can reach

  // Null for a stub that nobody registered.
  RegisteredKernel* kernel(const void* stub);

  // Errors. A fault stays until the device is reset; others are told once.
  cudaError_t fail(cudaError_t error, std::string text = {});
  void fault(const Finding& finding);
  cudaError_t sticky() const { return sticky_; }
  cudaError_t last_error() const { return sticky_ != cudaSuccess ? sticky_ : last_; }
  cudaError_t take_last_error();
  std::string_view text_of(cudaError_t error) const;
  std::optional<Finding> take_finding();
  void reset();

 private:
  GlobalMemory memory_;
  std::vector<std::unique_ptr<RegisteredModule>> modules_;
  cudaError_t sticky_ = cudaSuccess;
  cudaError_t last_ = cudaSuccess;
  std::map<cudaError_t, std::string> texts_;  // what is known beyond the error's name
  std::optional<Finding> finding_;
};

DeviceState& device();

// The error that stands for a finding or an exception of the project.
cudaError_t error_of(FindingKind kind);
cudaError_t error_of(ErrorKind kind);

// Runs one call of the runtime: nothing works on a device with a fault, and exceptions become
// errors.
template <class Body>
cudaError_t run_call(Body&& body) {
  if (device().sticky() != cudaSuccess) return device().sticky();
  try {
    return body();
  } catch (const Error& error) {
    return device().fail(error_of(error.kind()), error.what());
  }
}

}  // namespace lodestone::ptx
