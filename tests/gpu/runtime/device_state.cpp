#include "tests/gpu/runtime/device_state.h"

#include "engine/core/check.h"
#include "tests/gpu/runtime/fat_binary.h"
#include "tests/gpu/runtime/findings.h"

namespace lodestone::ptx {

const LoadedModule& RegisteredModule::loaded(GlobalMemory& memory) {
  if (loaded_ == nullptr) {
    loaded_ = std::make_unique<LoadedModule>(parse(ptx_of_fat_binary(fat_binary_)), memory);
  }
  return *loaded_;
}

RegisteredModule* DeviceState::add_module(const void* fat_binary) {
  return modules_.emplace_back(std::make_unique<RegisteredModule>(fat_binary)).get();
}

RegisteredKernel* DeviceState::kernel(const void* stub) {
  const auto known = kernels.find(stub);
  return known == kernels.end() ? nullptr : &known->second;
}

cudaError_t DeviceState::fail(cudaError_t error, std::string text) {
  last_ = error;
  texts_[error] = std::move(text);
  return error;
}

void DeviceState::fault(const Finding& finding) {
  sticky_ = error_of(finding.kind);
  texts_[sticky_] = finding.text();
  finding_ = finding;
}

cudaError_t DeviceState::take_last_error() {
  const cudaError_t error = last_error();
  last_ = cudaSuccess;
  return error;
}

std::string_view DeviceState::text_of(cudaError_t error) const {
  const auto known = texts_.find(error);
  return known == texts_.end() ? std::string_view{} : known->second;
}

std::optional<Finding> DeviceState::take_finding() {
  sticky_ = last_ = cudaSuccess;
  return std::exchange(finding_, std::nullopt);
}

void DeviceState::reset() {
  take_finding();
  texts_.clear();
}

// Never destroyed: programs call the runtime while they end.
DeviceState& device() {
  static auto* state = new DeviceState;
  return *state;
}

std::optional<Finding> take_finding() {
  return device().take_finding();
}

cudaError_t error_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::kOutOfBounds:
      return cudaErrorIllegalAddress;
    case FindingKind::kMisaligned:
      return cudaErrorMisalignedAddress;
    case FindingKind::kAssertion:
      return cudaErrorAssert;
    case FindingKind::kDeadlock:
    case FindingKind::kLimit:
      return cudaErrorLaunchTimeout;
    default:
      return cudaErrorLaunchFailure;
  }
}

cudaError_t error_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kOutOfMemory:
      return cudaErrorMemoryAllocation;
    case ErrorKind::kBadInput:
      return cudaErrorInvalidPtx;
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace lodestone::ptx
