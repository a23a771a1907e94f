#include "tests/gpu/conformance/suite.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <ostream>

#include "engine/core/check.h"
#include "engine/core/cuda.h"
#include "tests/gpu/device_array.h"

namespace lodestone::gpu_tests {

namespace {

constexpr int kThreads = kMostConformanceThreads, kRecordedThreads = 128;
constexpr std::string_view kInterpreter = "lodestone PTX interpreter";

template <class T>
void append(std::vector<T>& all, std::vector<T> more) {
  std::ranges::move(more, std::back_inserter(all));
}

cudaDeviceProp properties() {
  cudaDeviceProp of_device;
  cuda_check(cudaGetDeviceProperties(&of_device, 0));
  return of_device;
}

std::string version(int number) {
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

}  // namespace

std::vector<std::uint32_t> ConformanceCase::inputs() const {
  return random_inputs(name(), definition.operands, kThreads);
}

std::vector<Outcome> ConformanceCase::expected() const {
  const std::vector<std::uint32_t> words = inputs();
  std::vector<Outcome> outcomes;
  const std::size_t of_warp = words.size() / (kThreads / kLanes);
  for (std::size_t begin = 0; begin < words.size(); begin += of_warp) {
    append(outcomes, definition.of_warp(std::span(words).subspan(begin, of_warp)));
  }
  return outcomes;
}

std::vector<std::uint32_t> ConformanceCase::run() const {
  testing::DeviceArray<std::uint32_t> from(inputs());
  testing::DeviceArray<std::uint32_t> to(std::int64_t{kThreads} * kernel.words_out, 0u);
  kernel.launch(to.data(), from.data(), kThreads);
  cuda_check(cudaGetLastError());
  return to.host();
}

RecordedResults ConformanceCase::record() const {
  std::vector<std::uint32_t> words = run();
  words.resize(std::size_t{kRecordedThreads} * static_cast<std::size_t>(kernel.words_out));
  return {fingerprint(inputs()), words};
}

std::ostream& operator<<(std::ostream& stream, const ConformanceCase& instruction) {
  return stream << instruction.name();
}

std::vector<ConformanceCase> conformance_cases() {
  std::vector<ConformanceKernel> kernels;
  append(kernels, float_kernels());
  append(kernels, approximation_kernels());
  append(kernels, conversion_kernels());
  append(kernels, integer_kernels());
  append(kernels, warp_kernels());
  append(kernels, atomic_kernels());
  append(kernels, matrix_kernels());
  std::vector<Definition> definitions;
  append(definitions, float_definitions());
  append(definitions, approximation_definitions());
  append(definitions, conversion_definitions());
  append(definitions, integer_definitions());
  append(definitions, warp_definitions());
  append(definitions, atomic_definitions());
  append(definitions, matrix_definitions());
  std::vector<ConformanceCase> cases;
  for (const ConformanceKernel& kernel : kernels) {
    const auto found = std::ranges::find(definitions, kernel.name, &Definition::name);
    if (found == definitions.end())
      fail(ErrorKind::kInternal, "'{}' has no definition", kernel.name);
    int words_in = 0;
    for (const Operand operand : found->operands) words_in += words_of(operand);
    if (words_in != kernel.words_in) {
      fail(ErrorKind::kInternal, "'{}' takes {} words, its definition {}", kernel.name,
           kernel.words_in, words_in);
    }
    cases.push_back({kernel, *found});
  }
  return cases;
}

std::string device_in_words() {
  int driver = 0, runtime = 0;
  cuda_check(cudaDriverGetVersion(&driver));
  cuda_check(cudaRuntimeGetVersion(&runtime));
  return fmt::format("{}, driver {}, runtime {}", properties().name, version(driver),
                     version(runtime));
}

Recording record_hardware() {
  if (properties().name == kInterpreter) {
    fail(ErrorKind::kDevice,
         "only hardware is recorded: run gpu_tests on a machine that has a device");
  }
  Recording recording{device_in_words(), {}};
  for (const ConformanceCase& each : conformance_cases()) {
    recording.kernels[each.name()] = each.record();
  }
  return recording;
}

}  // namespace lodestone::gpu_tests
