#include "data/simulated_cells.h"

#include <cmath>

#include "data/random_variates.h"
#include "engine/core/threads.h"

namespace lodestone {
namespace {

struct SparseCounts {
  std::vector<std::int32_t> genes;
  std::vector<float> counts;
};

SparseCounts counts_of(const SimulationConfig& config, const SimulatedGenome& genome,
                       const SimulatedCell& cell, RandomKey key, std::int64_t number) {
  const std::vector<double> shares = genome.expression(cell.activity, cell.batch);
  const double kept = 1 - config.dropout;
  SparseCounts result;
  for (std::size_t gene = 0; gene < shares.size(); ++gene) {
    VariateStream stream(key, static_cast<std::uint64_t>(number), static_cast<std::uint32_t>(gene));
    if (config.dropout > 0 && stream.open_uniform() < config.dropout) continue;
    const std::int64_t count =
        negative_binomial_variate(stream, cell.counts * shares[gene] / kept, config.dispersion);
    if (count == 0) continue;
    result.genes.push_back(static_cast<std::int32_t>(gene));
    result.counts.push_back(static_cast<float>(count));
  }
  return result;
}

}  // namespace

SimulatedCell simulate_cell(const SimulationConfig& config, const SimulatedWorld& world,
                            Species species, std::int64_t cell) {
  const auto row = static_cast<std::uint64_t>(cell);
  VariateStream stream(species_key(config, species, SimulationPurpose::kCell), row);
  SimulatedCell result;
  result.type = static_cast<std::int32_t>(stream.below(config.cell_types));
  result.batch = static_cast<std::int32_t>(stream.below(config.batches));
  const double spread = config.depth_spread;
  result.counts = config.depth * std::exp(spread * normal_variate(stream) - spread * spread / 2);
  VariateStream noise(species_key(config, species, SimulationPurpose::kCellActivity), row);
  for (double activity :
       world.genomes[static_cast<std::size_t>(species)].type_activity(result.type))
    result.activity.push_back(activity + config.activity_noise * normal_variate(noise));
  if (config.perturbations == 0 || stream.open_uniform() >= config.perturbed_share) return result;
  result.perturbation = static_cast<std::int32_t>(stream.below(config.perturbations));
  result.dose =
      static_cast<double>(1 + stream.below(config.doses)) / static_cast<double>(config.doses);
  const SimulatedPerturbation& perturbation =
      world.perturbations[static_cast<std::size_t>(result.perturbation)];
  result.activity[static_cast<std::size_t>(perturbation.factor)] +=
      perturbation.direction * result.dose * config.perturbation_effect;
  return result;
}

CellBlock simulate_counts(const SimulationConfig& config, const SimulatedGenome& genome,
                          std::int64_t first, const std::vector<SimulatedCell>& cells) {
  const RandomKey key = species_key(config, genome.species, SimulationPurpose::kCounts);
  std::vector<SparseCounts> rows(cells.size());
  parallel_for(static_cast<std::int64_t>(cells.size()), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const auto at = static_cast<std::size_t>(i);
                   rows[at] = counts_of(config, genome, cells[at], key, first + i);
                 }
               });
  CellBlock block;
  block.first_cell = first;
  block.offsets.push_back(0);
  for (const SparseCounts& row : rows) {
    block.genes.insert(block.genes.end(), row.genes.begin(), row.genes.end());
    block.counts.insert(block.counts.end(), row.counts.begin(), row.counts.end());
    block.offsets.push_back(static_cast<std::int64_t>(block.genes.size()));
  }
  return block;
}

}  // namespace lodestone
