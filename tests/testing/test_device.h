#pragma once
#include "engine/core/stream.h"

namespace lodestone::testing {

// Where a test that serves every device computes: $LODESTONE_TEST_DEVICE, cpu (default) or cuda.
Device test_device();

}  // namespace lodestone::testing
