#include "tests/gpu/runtime/kernel_launch.h"

#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/runtime/device_state.h"

namespace lodestone::ptx {

namespace {

// What compute capability 9.0 allows.
constexpr std::uint32_t kMostThreads = 1024;
constexpr std::uint32_t kMostBlockZ = 64;
constexpr std::uint32_t kMostGridX = 0x7fffffff;
constexpr std::uint32_t kMostGridYz = 65535;
constexpr std::uint32_t kPlainSharedBytes = 48 * 1024;  // without an attribute

bool fits(const dim3& grid, const dim3& block) {
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  return grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && block.x >= 1 && block.y >= 1 &&
         block.z >= 1 && grid.x <= kMostGridX && grid.y <= kMostGridYz && grid.z <= kMostGridYz &&
         block.x <= kMostThreads && block.y <= kMostThreads && block.z <= kMostBlockZ &&
         threads <= kMostThreads;
}

// An error and its sentence for a launch that the device would refuse; cudaSuccess otherwise.
cudaError_t check_launch(const RegisteredKernel& kernel, const KernelImage& image, const dim3& grid,
                         const dim3& block, std::size_t dynamic_shared_bytes) {
  const auto refuse = [](cudaError_t error, std::string text) {
    return device().fail(error, std::move(text));
  };
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (!fits(grid, block)) {
    return refuse(cudaErrorInvalidConfiguration,
                  fmt::format("{}: grid ({}, {}, {}) of blocks ({}, {}, {}) is outside of what the "
                              "device allows: 1,024 threads, 2^31 - 1 x 65,535 x 65,535 blocks",
                              kernel.name, grid.x, grid.y, grid.z, block.x, block.y, block.z));
  }
  const Function& function = image.function();
  if (function.most_threads != 0 && threads > function.most_threads) {
    return refuse(cudaErrorLaunchOutOfResources,
                  fmt::format("{}: {} threads, and __launch_bounds__ allows {}", kernel.name,
                              threads, function.most_threads));
  }
  if (function.required_threads != 0 && threads != function.required_threads) {
    return refuse(cudaErrorInvalidConfiguration,
                  fmt::format("{}: {} threads, and the kernel demands {}", kernel.name, threads,
                              function.required_threads));
  }
  const std::size_t shared = image.shared().static_bytes() + dynamic_shared_bytes;
  if (dynamic_shared_bytes > kernel.most_dynamic_shared_bytes || shared > kMostSharedBytes ||
      (kernel.most_dynamic_shared_bytes == kPlainSharedBytes && shared > kPlainSharedBytes)) {
    return refuse(cudaErrorInvalidValue,
                  fmt::format("{}: {} bytes of dynamic and {} of static shared memory; "
                              "cudaFuncSetAttribute allows {}, and the device {} in all",
                              kernel.name, dynamic_shared_bytes, image.shared().static_bytes(),
                              kernel.most_dynamic_shared_bytes, kMostSharedBytes));
  }
  return cudaSuccess;
}

std::vector<std::byte> pack_parameters(const KernelImage& image, void** arguments) {
  std::vector<std::byte> packed(image.parameter_bytes());
  for (std::size_t i = 0; i < image.parameters().size(); ++i) {
    const Extent& place = image.parameters()[i];
    std::memcpy(packed.data() + place.begin, arguments[i], place.size);
  }
  return packed;
}

void run(Launch& launch) {
  const auto observers = make_observers(launch.options);
  for (const auto& observer : observers) launch.observers.push_back(observer.get());
  try {
    run_launch(launch);
  } catch (const KernelFault& fault) {
    device().fault(fault.finding());
  }
}

}  // namespace

cudaError_t launch_kernel(const void* stub, dim3 grid, dim3 block, void** arguments,
                          std::size_t dynamic_shared_bytes) {
  return run_call([&] {
    RegisteredKernel* kernel = device().kernel(stub);
    if (kernel == nullptr) return device().fail(cudaErrorInvalidDeviceFunction);
    const KernelImage& image = kernel->module->loaded(device().memory()).kernel(kernel->name);
    const cudaError_t refused = check_launch(*kernel, image, grid, block, dynamic_shared_bytes);
    if (refused != cudaSuccess) return refused;
    Launch launch;
    launch.image = &image;
    launch.memory = &device().memory();
    launch.grid = {grid.x, grid.y, grid.z};
    launch.block = {block.x, block.y, block.z};
    launch.dynamic_shared_bytes = static_cast<std::uint32_t>(dynamic_shared_bytes);
    launch.parameters = pack_parameters(image, arguments);
    launch.options = options();
    run(launch);
    return cudaSuccess;
  });
}

}  // namespace lodestone::ptx
