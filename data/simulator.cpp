#include "data/simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "data/block_spool.h"
#include "data/gene_id.h"
#include "data/h5ad_writer.h"
#include "data/simulated_cells.h"
#include "data/simulation_truth.h"
#include "data/work_folder.h"
#include "engine/config/config.h"
#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kValuesPerBlock = 1'000'000;  // cells x genes made at once

std::vector<std::string> numbered(const char* stem, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 1; i <= count; ++i) names.push_back(fmt::format("{}_{}", stem, i));
  return names;
}

H5adWriter open_writer(const std::filesystem::path& path, const SimulatedGenome& genome,
                       std::optional<std::int64_t> entries) {
  std::vector<GeneRecord> genes;
  VarColumn symbols{"gene_symbol", {}}, biotypes{"biotype", {}};
  for (const Gene& gene : genome.genes) {
    genes.push_back({gene.id, gene.symbol, gene.biotype});
    symbols.values.push_back(gene.symbol);
    biotypes.values.push_back(gene.biotype);
  }
  return H5adWriter(path, genes, {symbols, biotypes}, entries);
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

SimulatedCellTable cell_table(const SimulationConfig& config, const SimulatedWorld& world,
                              Species species) {
  SimulatedCellTable table;
  for (std::int64_t cell = 0; cell < config.cells; ++cell)
    remember(table, simulate_cell(config, world, species, cell));
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

json state_of(const SpoolMark& mark) {
  return {{"blocks", mark.blocks},
          {"cells", mark.cells},
          {"entries", mark.entries},
          {"bytes", mark.bytes},
          {"digest", mark.digest}};
}

SpoolMark mark_of(const json& state) {
  return {state["blocks"], state["cells"], state["entries"], state["bytes"], state["digest"]};
}

// One species after the other: its counts are spooled in blocks, then become an h5ad file. The work
// folder's state: "finished", by species, and "spool", of the one that is under way.
class SimulateJob {
 public:
  SimulateJob(const SimulationConfig& config, const SimulateOptions& options,
              const SimulationProgress& progress, WorkFolder& work)
      : config_(config),
        options_(options),
        progress_(progress),
        work_(work),
        world_(make_world(config)) {}

  SimulationReport run() {
    std::array<SimulatedCellTable, 2> tables;
    for (const SimulatedGenome& genome : world_.genomes) {
      const std::string name(name_of(genome.species));
      SimulatedCellTable& table = tables[static_cast<std::size_t>(genome.species)];
      table = cell_table(config_, world_, genome.species);
      if (!is_finished(name)) make_species(genome, table);
      const json finished = work_.state()["finished"][name];
      report_.cells += config_.cells;
      report_.values += finished["values"].get<std::int64_t>();
      report_.counts += finished["counts"].get<double>();
      write_text(work_.output() / ("genes_" + name + ".tsv"), gene_rows(genome));
    }
    write_text(work_.output() / "orthologs.tsv", ortholog_rows(world_));
    write_truth(work_.output() / "truth.h5", config_, world_, tables);
    return report_;
  }

 private:
  fs::path cells_path(const std::string& species) const {
    return work_.output() / (species + ".h5ad");
  }
  bool is_finished(const std::string& species) const;
  void make_species(const SimulatedGenome& genome, const SimulatedCellTable& table);
  void spool_counts(const SimulatedGenome& genome, BlockSpool& spool);
  json write_cells(const SimulatedGenome& genome, const SimulatedCellTable& table,
                   const BlockSpool& spool) const;

  const SimulationConfig& config_;
  const SimulateOptions& options_;
  const SimulationProgress& progress_;
  WorkFolder& work_;
  SimulatedWorld world_;
  SimulationReport report_;
};

bool SimulateJob::is_finished(const std::string& species) const {
  const json finished = work_.state().value("finished", json::object());
  return finished.contains(species) && fs::exists(cells_path(species)) &&
         finished[species]["hash"] == hash_file(cells_path(species));
}

void SimulateJob::make_species(const SimulatedGenome& genome, const SimulatedCellTable& table) {
  const std::string name(name_of(genome.species));
  const fs::path spool_path = work_.path() / (name + ".blocks");
  json state = work_.state();
  BlockSpool spool(spool_path);
  const bool is_begun = state.contains("spool") && state["spool"]["species"] == name;
  const SpoolMark mark = is_begun ? mark_of(state["spool"]) : SpoolMark{};
  if (!spool.continue_from(mark))
    log::warning("{}: was changed; simulates the {} cells again", spool_path.string(), name);
  else if (mark.cells > 0)
    log::info("{}: continues after {} cell {}", work_.path().string(), name, mark.cells);
  spool_counts(genome, spool);
  state["finished"][name] = write_cells(genome, table, spool);
  state.erase("spool");
  work_.save(std::move(state));
  fs::remove(spool_path);
}

void SimulateJob::spool_counts(const SimulatedGenome& genome, BlockSpool& spool) {
  const std::string name(name_of(genome.species));
  const std::int64_t block_cells = std::max<std::int64_t>(1, kValuesPerBlock / config_.genes);
  json state = work_.state();
  BackgroundSaves saves(work_, options_.save_cells, [&] { spool.sync(); });
  while (spool.mark().cells < config_.cells) {
    const std::int64_t first = spool.mark().cells;
    std::vector<SimulatedCell> cells;
    for (std::int64_t cell = first; cell < std::min(config_.cells, first + block_cells); ++cell)
      cells.push_back(simulate_cell(config_, world_, genome.species, cell));
    spool.append(simulate_counts(config_, genome, first, cells));
    if (progress_) progress_(report_.cells + spool.mark().cells, 2 * config_.cells);
    state["spool"] = state_of(spool.mark());
    state["spool"]["species"] = name;
    saves.offer(spool.mark().cells, state);
  }
  saves.finish();
}

// Returns what is to be kept of it.
json SimulateJob::write_cells(const SimulatedGenome& genome, const SimulatedCellTable& table,
                              const BlockSpool& spool) const {
  const std::string name(name_of(genome.species));
  std::optional<std::int64_t> entries;
  if (!options_.compress) entries = spool.mark().entries;
  H5adWriter writer = open_writer(cells_path(name), genome, entries);
  double counts = 0;
  spool.for_each([&](const CellBlock& block) {
    counts = std::accumulate(block.counts.begin(), block.counts.end(), counts);
    writer.append(block);
  });
  std::vector<std::string> ids;
  for (std::int64_t cell = 1; cell <= config_.cells; ++cell)
    ids.push_back(fmt::format("{}_{}", name, cell));
  writer.finish(ids, obs_of(config_, world_, genome.species, table));
  return {
      {"hash", hash_file(cells_path(name))}, {"values", spool.mark().entries}, {"counts", counts}};
}

json job_of(SimulationConfig config, const SimulateOptions& options) {
  return {{"job", "simulate"},
          {"settings", json::parse(config::to_json(config::fields_of(config)))},
          {"seed", config.seed},
          {"compress", options.compress}};
}

}  // namespace

SimulationReport simulate(const SimulationConfig& config, const fs::path& directory,
                          const SimulateOptions& options, const SimulationProgress& progress) {
  check_simulation(config);
  check(options.save_cells > 0, "save_cells is {}, expected at least 1", options.save_cells);
  WorkFolder work(directory, options.replace, job_of(config, options));
  const SimulationReport report = SimulateJob(config, options, progress, work).run();
  work.publish();
  return report;
}

}  // namespace lodestone
