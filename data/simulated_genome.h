#pragma once
// The truth behind simulated cells: two genomes that share homologous genes, transcription factors
// and what these do. Factor f has an activity (a log fold change) in every cell type; gene j has
//   log mean of gene j = base_j + sum over its regulators f of weight_fj activity_f  (+ its own
//   activity, when j is a factor) + batch effect.
// Homologous genes share base, regulators and weights, and factors their activities, all up to
// SimulationConfig::divergence.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/gene_table.h"
#include "data/simulation_config.h"
#include "engine/core/philox.h"

namespace lodestone {

// Columns are places in SimulatedGenome::genes, factors in SimulatedGenome::factor_columns.
struct RegulatoryEdge {
  std::int32_t factor;
  std::int32_t target;  // column
  double weight;        // log fold change of the target per unit of activity
};

struct SimulatedGenome {
  Species species = Species::kHuman;
  std::vector<Gene> genes;                   // in file order
  std::vector<std::int32_t> factor_columns;  // [factors]
  std::vector<double> base;                  // [genes]
  std::vector<RegulatoryEdge> edges;         // ascending by target, no factor twice at a target
  std::vector<double> activity;              // [cell types, factors]
  std::vector<double> batch_effect;          // [batches, genes]

  std::span<const double> type_activity(std::int64_t type) const;
  // Shares of a cell's expected counts, [genes], adding up to 1; activity is [factors], batch -1
  // leaves the batch effect out.
  std::vector<double> expression(std::span<const double> activity_of_cell,
                                 std::int64_t batch) const;
};

struct SimulatedPerturbation {
  std::int32_t factor;
  double direction;  // -1 knock-down, +1 over-expression
};

struct SimulatedWorld {
  std::array<SimulatedGenome, 2> genomes;  // by Species
  // Columns (human, mouse).
  std::vector<std::pair<std::int32_t, std::int32_t>> homologues, one_to_many;
  std::vector<SimulatedPerturbation> perturbations;
};

// A function of the configuration alone (already checked).
SimulatedWorld make_world(const SimulationConfig& config);

// What the random numbers of a simulation are for; key = (seed, species + 1 or 0 for both,
// purpose).
enum class SimulationPurpose : std::uint32_t {
  kOrder = 1,
  kBase,
  kRegulators,
  kDivergence,
  kActivity,
  kBatch,
  kCell,
  kCellActivity,
  kCounts,
};
RandomKey shared_key(const SimulationConfig& config, SimulationPurpose purpose);
RandomKey species_key(const SimulationConfig& config, Species species, SimulationPurpose purpose);

}  // namespace lodestone
