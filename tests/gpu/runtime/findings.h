#pragma once
// What the instrument found in the launches of this process.
#include <optional>

#include "tests/gpu/emulator/finding.h"

namespace lodestone::ptx {

// The finding that ended a launch, if there was one. The device works again after this call, as
// after cudaDeviceReset(), but keeps its memory.
std::optional<Finding> take_finding();

}  // namespace lodestone::ptx
