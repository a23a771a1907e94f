#pragma once
// The functions that the device's runtime provides to kernels: printf and assert.
#include <string_view>

#include "tests/gpu/emulator/operation.h"

namespace lodestone::ptx {

// A handler whose list holds the places of the results and then of the arguments; null for a
// function that the instrument does not have.
Handler device_function(std::string_view name);

}  // namespace lodestone::ptx
