#include "tests/gpu/emulator/observer.h"

namespace lodestone::ptx {

std::vector<std::unique_ptr<MemoryObserver>> make_observers(const Options& /*options*/) {
  return {};
}

}  // namespace lodestone::ptx
