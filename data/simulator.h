#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

#include "data/simulation_config.h"

namespace lodestone {

struct SimulationReport {
  std::int64_t cells = 0;   // of both species
  std::int64_t values = 0;  // non-zero counts
  double counts = 0;        // their sum
};

struct SimulateOptions {
  bool replace = false;
  bool compress = true;             // counts as gzip, else contiguous as they are
  std::int64_t save_cells = 10000;  // after so many a run that is cut short can continue
};

// Writes, published whole:
//   human.h5ad, mouse.h5ad    counts; obs: cell_type, batch, species, perturbation, dose
//   orthologs.tsv             human_ensembl_id, human_symbol, mouse_ensembl_id, mouse_symbol,
//                             one2one; one-to-many families have 0 in the last column
//   genes_human.tsv, genes_mouse.tsv    ensembl_id, symbol, biotype
//   truth.h5                  per species: edges (tf, target, weight), activity [types, tfs],
//                             mean_expression [types, genes], and per cell its type, batch,
//                             perturbation (-1 = control), dose and expected counts; homologues
// All of it is a function of the configuration: the same one gives the same bytes. Memory grows
// with the genes and by some 100 bytes a cell. `progress` is told cells done and all cells. Throws
// kInvalidArgument for a bad configuration, and when `directory` exists unless it is to be
// replaced. A run that was killed, or met a full disk, leaves its finished work in
// `directory`.partial; the same call continues from there, with the same result.
using SimulationProgress = std::function<void(std::int64_t done, std::int64_t total)>;
SimulationReport simulate(const SimulationConfig& config, const std::filesystem::path& directory,
                          const SimulateOptions& options = {},
                          const SimulationProgress& progress = {});

}  // namespace lodestone
