// Modules in memory, kernels decoded.
#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/core/check.h"
#include "tests/gpu/emulator/launch.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kStackBytes = 4096;  // of a thread, for calls of device functions

}  // namespace

KernelImage::KernelImage(const Module& module, std::uint32_t kernel,
                         const std::vector<std::uint64_t>& variable_addresses)
    : module_(module),
      kernel_(kernel),
      shared_(module, kernel),
      programs_(module.functions.size()) {
  const TranslationContext context{module, shared_, variable_addresses};
  bool has_calls = false;
  for (const std::uint32_t index : shared_.reachable()) {
    if (!module.functions[index].is_defined) continue;
    has_calls = has_calls || index != kernel;
    programs_[index] = std::make_unique<Program>(Translator(context, index).translate());
  }
  for (std::uint32_t i = 0; i < function().parameter_count; ++i) {
    parameters_.push_back({program().variable_offsets[i], function().variables[i].size});
  }
  local_bytes_ = (program().local_bytes + 15) / 16 * 16 + (has_calls ? kStackBytes : 0);
}

std::uint32_t KernelImage::parameter_bytes() const {
  return parameters_.empty() ? 0 : static_cast<std::uint32_t>(parameters_.back().end());
}

LoadedModule::LoadedModule(Module module, GlobalMemory& memory) : module_(std::move(module)) {
  for (const Variable& variable : module_.variables) {
    addresses_.push_back(0);
    const bool in_memory =
        variable.space == AddressSpace::kGlobal || variable.space == AddressSpace::kConstant;
    if (!in_memory) continue;
    std::byte* address = memory.allocate(variable.size);
    if (address == nullptr) {
      fail(ErrorKind::kOutOfMemory, "no memory for the module's variable '{}' of {} bytes",
           variable.name, variable.size);
    }
    addresses_.back() = reinterpret_cast<std::uint64_t>(address);
    variables_[variable.name] = {addresses_.back(), variable.size};
  }
  fill_variables();
}

void LoadedModule::fill_variables() {
  for (std::size_t i = 0; i < module_.variables.size(); ++i) {
    if (addresses_[i] == 0) continue;
    const Variable& variable = module_.variables[i];
    auto* address = std::bit_cast<std::byte*>(addresses_[i]);
    std::memset(address, 0, variable.size);
    std::ranges::copy(variable.initial, address);
    for (const Relocation& relocation : variable.relocations) {
      const Extent* target = this->variable(relocation.symbol);
      check_input(target != nullptr, "PTX: '{}' points to '{}', which is not in memory",
                  variable.name, relocation.symbol);
      const std::uint64_t value = target->begin + static_cast<std::uint64_t>(relocation.addend);
      std::memcpy(address + relocation.offset, &value, sizeof value);
    }
  }
}

const Extent* LoadedModule::variable(std::string_view name) const {
  const auto known = variables_.find(name);
  return known == variables_.end() ? nullptr : &known->second;
}

const KernelImage& LoadedModule::kernel(std::string_view name) const {
  for (std::uint32_t i = 0; i < module_.functions.size(); ++i) {
    const Function& function = module_.functions[i];
    if (function.name != name || !function.is_entry || !function.is_defined) continue;
    std::unique_ptr<KernelImage>& image = kernels_[i];
    if (image == nullptr) image = std::make_unique<KernelImage>(module_, i, addresses_);
    return *image;
  }
  fail(ErrorKind::kInvalidArgument, "the module has no kernel '{}'", name);
}

}  // namespace lodestone::ptx
