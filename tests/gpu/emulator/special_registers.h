#pragma once
// Special registers: what a thread knows of itself, its block and the clock.
#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

// The number of a special register, or nothing for a name that is none. Those of the clock change
// while the code runs: only `mov` reads them.
std::optional<std::uint32_t> special_register(std::string_view name);
bool is_clock(std::string_view name);

// The value in one lane of a register that does not change.
std::uint64_t special_register_value(const Warp& warp, std::uint32_t lane, std::uint32_t number);

}  // namespace lodestone::ptx
