#include "data/simulator.h"
#include "tools/commands/commands.h"

namespace lodestone::tools {

using nlohmann::ordered_json;

namespace {

struct SimulateSettings {
  std::string out;
  SimulateOptions output;
  SimulationConfig simulation;

  template <class Visitor>
  void fields(Visitor& visit) {
    visit("out", out, "directory to write");
    visit("replace", output.replace, "replace the directory when it exists");
    visit("compress", output.compress, "counts as gzip, else plain");
    visit("save_cells", output.save_cells,
          "cells after which a run that is cut short can continue");
    simulation.fields(visit);
  }
  void validate() const { check_simulation(simulation); }
};

void simulate_cells(const SimulateSettings& settings, Run& run) {
  SimulationConfig simulation = settings.simulation;
  simulation.seed = run.seed();
  Progress progress = run.progress("simulate", "cells");
  const SimulationReport report =
      simulate(simulation, settings.out, settings.output, progress.callback());
  const double cells = static_cast<double>(report.cells);
  const double mean_counts = report.counts / cells;
  const double mean_genes = static_cast<double>(report.values) / cells;
  run.result(ordered_json{{"out", settings.out},
                          {"cells", report.cells},
                          {"genes", simulation.genes},
                          {"mean_counts", mean_counts},
                          {"mean_genes", mean_genes}},
             fmt::format("{}: {} human and {} mouse cells, {} genes each; a cell has {:.0f} counts "
                         "of {:.0f} genes on average\n",
                         settings.out, grouped(simulation.cells), grouped(simulation.cells),
                         grouped(simulation.genes), mean_counts, mean_genes));
}

}  // namespace

void add_simulate(CommandLine& line) {
  line.add<SimulateSettings>(
      {.name = "simulate",
       .summary = "Makes human and mouse cells whose truth is known",
       .description =
           "Cell types, batches, a regulatory network shared by homologous genes, perturbations "
           "with doses;\nnegative-binomial counts. Writes human.h5ad, mouse.h5ad, orthologs.tsv, "
           "genes_human.tsv,\ngenes_mouse.tsv and truth.h5. The same --seed gives the same "
           "bytes.\n\n"
           "  lodestone simulate --out simulated --cells 2000\n"
           "  lodestone simulate --out perturbed --perturbations 8 --doses 4",
       .required = {"out"},
       .outputs = {"out"}},
      simulate_cells);
}

}  // namespace lodestone::tools
