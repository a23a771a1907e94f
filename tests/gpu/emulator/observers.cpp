#include "tests/gpu/emulator/metrics.h"
#include "tests/gpu/emulator/race_checker.h"

namespace lodestone::ptx {

std::vector<std::unique_ptr<MemoryObserver>> make_observers(const Options& options) {
  std::vector<std::unique_ptr<MemoryObserver>> observers;
  observers.push_back(std::make_unique<MetricsCounter>());
  if (options.check_races || options.check_initialised)
    observers.push_back(std::make_unique<RaceChecker>(
        RaceChecks{.races = options.check_races, .initialised = options.check_initialised}));
  return observers;
}

}  // namespace lodestone::ptx
