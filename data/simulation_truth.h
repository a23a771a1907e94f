#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "data/simulated_genome.h"

namespace lodestone {

// What was drawn for each cell of one species.
struct SimulatedCellTable {
  std::vector<std::int32_t> type, batch, perturbation;
  std::vector<double> dose, counts;
};

// "SIMTF7_knockdown", ... in the symbols of the species.
std::vector<std::string> perturbation_names(const SimulatedWorld& world, Species species);
std::vector<std::string> type_names(const SimulationConfig& config);

// truth.h5; see simulate(). Tables are by Species.
void write_truth(const std::filesystem::path& path, const SimulationConfig& config,
                 const SimulatedWorld& world, const std::array<SimulatedCellTable, 2>& cells);

}  // namespace lodestone
