#include "tests/gpu/emulator/metrics.h"
#include "tests/gpu/emulator/race_checker.h"

namespace lodestone::ptx {

std::vector<std::unique_ptr<MemoryObserver>> make_observers(const Options& options) {
  std::vector<std::unique_ptr<MemoryObserver>> observers;
  const bool checks = options.check_races || options.check_initialised;
  // Without checks the instrument is to be as fast as it can: numbers are gathered when asked for.
  if (checks || options.print_metrics) observers.push_back(std::make_unique<MetricsCounter>());
  if (checks)
    observers.push_back(std::make_unique<RaceChecker>(
        RaceChecks{.races = options.check_races, .initialised = options.check_initialised}));
  return observers;
}

}  // namespace lodestone::ptx
