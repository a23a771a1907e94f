#include "data/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "data/gene_id.h"
#include "data/h5ad_writer.h"
#include "data/simulated_cells.h"
#include "data/simulation_truth.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

constexpr std::int64_t kValuesPerBlock = 1'000'000;  // cells x genes made at once

std::vector<std::string> numbered(const char* stem, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 1; i <= count; ++i) names.push_back(fmt::format("{}_{}", stem, i));
  return names;
}

H5adWriter open_writer(const std::filesystem::path& path, const SimulatedGenome& genome) {
  std::vector<GeneRecord> genes;
  VarColumn symbols{"gene_symbol", {}}, biotypes{"biotype", {}};
  for (const Gene& gene : genome.genes) {
    genes.push_back({gene.id, gene.symbol, gene.biotype});
    symbols.values.push_back(gene.symbol);
    biotypes.values.push_back(gene.biotype);
  }
  return H5adWriter(path, genes, {symbols, biotypes});
}

void remember(SimulatedCellTable& table, const SimulatedCell& cell) {
  table.type.push_back(cell.type);
  table.batch.push_back(cell.batch);
  table.perturbation.push_back(cell.perturbation);
  table.dose.push_back(cell.dose);
  table.counts.push_back(cell.counts);
}

std::vector<ObsColumn> obs_of(const SimulationConfig& config, const SimulatedWorld& world,
                              Species species, const SimulatedCellTable& table) {
  ObsColumn perturbation{"perturbation", {}, perturbation_names(world, species)};
  perturbation.categories.insert(perturbation.categories.begin(), "control");
  ObsColumn dose{"dose", {}, {"0"}};
  if (config.perturbations > 0)
    for (std::int64_t step = 1; step <= config.doses; ++step)
      dose.categories.push_back(
          fmt::format("{:.4g}", static_cast<double>(step) / static_cast<double>(config.doses)));
  for (std::size_t cell = 0; cell < table.type.size(); ++cell) {
    perturbation.codes.push_back(table.perturbation[cell] + 1);
    const double step = table.dose[cell] * static_cast<double>(config.doses);
    dose.codes.push_back(static_cast<std::int32_t>(std::lround(step)));
  }
  return {
      {"cell_type", table.type, type_names(config)},
      {"batch", table.batch, numbered("batch", config.batches)},
      {"species", std::vector<std::int32_t>(table.type.size(), 0), {std::string(name_of(species))}},
      perturbation,
      dose};
}

SimulatedCellTable write_cells(const SimulationConfig& config, const SimulatedWorld& world,
                               Species species, const std::filesystem::path& path,
                               const SimulationProgress& progress, SimulationReport& report) {
  const SimulatedGenome& genome = world.genomes[static_cast<std::size_t>(species)];
  H5adWriter writer = open_writer(path, genome);
  SimulatedCellTable table;
  std::vector<std::string> ids;
  const std::int64_t block_cells = std::max<std::int64_t>(1, kValuesPerBlock / config.genes);
  for (std::int64_t first = 0; first < config.cells; first += block_cells) {
    std::vector<SimulatedCell> cells;
    for (std::int64_t cell = first; cell < std::min(config.cells, first + block_cells); ++cell) {
      cells.push_back(simulate_cell(config, world, species, cell));
      remember(table, cells.back());
      ids.push_back(fmt::format("{}_{}", name_of(species), cell + 1));
    }
    const CellBlock block = simulate_counts(config, genome, first, cells);
    report.cells += block.cells();
    report.values += static_cast<std::int64_t>(block.counts.size());
    report.counts = std::accumulate(block.counts.begin(), block.counts.end(), report.counts);
    writer.append(block);
    if (progress) progress(report.cells, 2 * config.cells);
  }
  writer.finish(ids, obs_of(config, world, species, table));
  return table;
}

std::string gene_rows(const SimulatedGenome& genome) {
  std::string text = "ensembl_id\tsymbol\tbiotype\n";
  for (const Gene& gene : genome.genes)
    text += fmt::format("{}\t{}\t{}\n", gene.id, gene.symbol, gene.biotype);
  return text;
}

std::string ortholog_rows(const SimulatedWorld& world) {
  std::string text = "human_ensembl_id\thuman_symbol\tmouse_ensembl_id\tmouse_symbol\tone2one\n";
  const auto add = [&](const std::pair<std::int32_t, std::int32_t>& pair, int one_to_one) {
    const Gene& human = world.genomes[0].genes[static_cast<std::size_t>(pair.first)];
    const Gene& mouse = world.genomes[1].genes[static_cast<std::size_t>(pair.second)];
    text += fmt::format("{}\t{}\t{}\t{}\t{}\n", human.id, human.symbol, mouse.id, mouse.symbol,
                        one_to_one);
  };
  for (const auto& pair : world.homologues) add(pair, 1);
  for (const auto& pair : world.one_to_many) add(pair, 0);
  return text;
}

}  // namespace

SimulationReport simulate(const SimulationConfig& config, const std::filesystem::path& directory,
                          bool replace, const SimulationProgress& progress) {
  check_simulation(config);
  const SimulatedWorld world = make_world(config);
  SimulationReport report;
  publish_directory(directory, replace, [&](const std::filesystem::path& staged) {
    std::array<SimulatedCellTable, 2> cells;
    for (const SimulatedGenome& genome : world.genomes) {
      const std::string name(name_of(genome.species));
      cells[static_cast<std::size_t>(genome.species)] =
          write_cells(config, world, genome.species, staged / (name + ".h5ad"), progress, report);
      write_text(staged / ("genes_" + name + ".tsv"), gene_rows(genome));
    }
    write_text(staged / "orthologs.tsv", ortholog_rows(world));
    write_truth(staged / "truth.h5", config, world, cells);
  });
  return report;
}

}  // namespace lodestone
