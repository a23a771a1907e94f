#pragma once
// Simulated cells: each is a function of (seed, species, its number, gene), so blocks may be made
// in any order and on any number of threads.
#include <cstdint>
#include <vector>

#include "data/cell_source.h"
#include "data/simulated_genome.h"

namespace lodestone {

struct SimulatedCell {
  std::int32_t type = 0, batch = 0;
  std::int32_t perturbation = -1;  // place in SimulatedWorld::perturbations; -1 = control
  double dose = 0;                 // (0, 1]; 0 = control
  double counts = 0;               // expected counts
  std::vector<double> activity;    // [factors]
};

SimulatedCell simulate_cell(const SimulationConfig& config, const SimulatedWorld& world,
                            Species species, std::int64_t cell);

// Counts of the cells numbered first .. first + cells.size() - 1: negative binomial around
// counts * expression, then dropout.
CellBlock simulate_counts(const SimulationConfig& config, const SimulatedGenome& genome,
                          std::int64_t first, const std::vector<SimulatedCell>& cells);

}  // namespace lodestone
