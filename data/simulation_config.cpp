#include "data/simulation_config.h"

#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "engine/core/check.h"

namespace lodestone {
namespace {

class FaultList {
 public:
  template <class T>
  void range(const char* name, T value, T low, T high) {
    if (!(value >= low && value <= high))
      faults_.push_back(fmt::format("{} must be {} to {}, is {}", name, low, high, value));
  }
  void add(std::string fault) { faults_.push_back(std::move(fault)); }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  std::vector<std::string> faults_;
};

void check_counts(const SimulationConfig& config, FaultList& faults) {
  constexpr std::int64_t kOne = 1, kNone = 0;
  faults.range<std::int64_t>("cells", config.cells, kOne, 1'000'000'000);
  faults.range<std::int64_t>("genes", config.genes, 50, 100'000);
  faults.range<std::int64_t>("transcription_factors", config.transcription_factors, kOne, 5'000);
  faults.range<std::int64_t>("cell_types", config.cell_types, kOne, 1'000);
  faults.range<std::int64_t>("batches", config.batches, kOne, 1'000);
  faults.range<std::int64_t>("perturbations", config.perturbations, kNone,
                             config.transcription_factors);
  faults.range<std::int64_t>("doses", config.doses, kOne, 100);
}

void check_effects(const SimulationConfig& config, FaultList& faults) {
  faults.range("homologous_share", config.homologous_share, 0.0, 1.0);
  faults.range("regulators", config.regulators, 1.0, 50.0);
  faults.range("divergence", config.divergence, 0.0, 5.0);
  faults.range("type_effect", config.type_effect, 0.0, 5.0);
  faults.range("activity_noise", config.activity_noise, 0.0, 5.0);
  faults.range("batch_effect", config.batch_effect, 0.0, 5.0);
  faults.range("depth", config.depth, 1.0, 1e6);
  faults.range("depth_spread", config.depth_spread, 0.0, 2.0);
  faults.range("dispersion", config.dispersion, 0.0, 20.0);
  faults.range("dropout", config.dropout, 0.0, 0.99);
  faults.range("perturbation_effect", config.perturbation_effect, 0.0, 10.0);
  faults.range("perturbed_share", config.perturbed_share, 0.0, 1.0);
}

}  // namespace

void check_simulation(const SimulationConfig& config) {
  FaultList faults;
  check_counts(config, faults);
  check_effects(config, faults);
  const double homologues = config.homologous_share * static_cast<double>(config.genes);
  const std::int64_t named = config.transcription_factors + kMitochondrialGenes;
  if (homologues < static_cast<double>(named))
    faults.add(
        fmt::format("genes times homologous_share must be at least {} ({} transcription factors "
                    "and {} mitochondrial genes), is {:g}",
                    named, config.transcription_factors, kMitochondrialGenes, homologues));
  check(faults.faults().empty(), "simulation: {}", fmt::join(faults.faults(), "; "));
}

}  // namespace lodestone
