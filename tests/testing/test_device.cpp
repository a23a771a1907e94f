#include "tests/testing/test_device.h"

#include <cstdlib>
#include <string_view>

namespace lodestone::testing {

Device test_device() {
  const char* named = std::getenv("LODESTONE_TEST_DEVICE");
  return named && std::string_view(named) == "cuda" ? Device::cuda() : Device::cpu();
}

}  // namespace lodestone::testing
