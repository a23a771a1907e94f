#include "data/simulation_truth.h"

#include <fmt/format.h>

#include "data/gene_id.h"
#include "engine/config/config.h"
#include "engine/io/hdf5.h"

namespace lodestone {
namespace {

template <class T>
void put(hdf5::Group& group, const std::string& name, const std::vector<T>& values) {
  group.create_numbers<T>(name, {static_cast<std::int64_t>(values.size())},
                          std::span<const T>(values));
}

void put_matrix(hdf5::Group& group, const std::string& name, std::size_t rows,
                const std::vector<double>& values) {
  const auto count = static_cast<std::int64_t>(rows);
  group.create_numbers<double>(name, {count, static_cast<std::int64_t>(values.size()) / count},
                               std::span<const double>(values));
}

void write_edges(hdf5::Group group, const SimulatedGenome& genome) {
  std::vector<std::string> factors, targets;
  std::vector<double> weights;
  for (const RegulatoryEdge& edge : genome.edges) {
    const std::int32_t factor = genome.factor_columns[static_cast<std::size_t>(edge.factor)];
    factors.push_back(genome.genes[static_cast<std::size_t>(factor)].id);
    targets.push_back(genome.genes[static_cast<std::size_t>(edge.target)].id);
    weights.push_back(edge.weight);
  }
  group.create_texts("tf", factors);
  group.create_texts("target", targets);
  put(group, "weight", weights);
}

void write_cells(hdf5::Group group, const SimulatedCellTable& cells) {
  put(group, "cell_type", cells.type);
  put(group, "batch", cells.batch);
  put(group, "perturbation", cells.perturbation);
  put(group, "dose", cells.dose);
  put(group, "expected_counts", cells.counts);
}

void write_perturbations(hdf5::Group group, const SimulatedWorld& world,
                         const SimulatedGenome& genome) {
  std::vector<std::string> factors;
  std::vector<double> directions;
  for (const SimulatedPerturbation& perturbation : world.perturbations) {
    const std::int32_t column =
        genome.factor_columns[static_cast<std::size_t>(perturbation.factor)];
    factors.push_back(genome.genes[static_cast<std::size_t>(column)].id);
    directions.push_back(perturbation.direction);
  }
  group.create_texts("name", perturbation_names(world, genome.species));
  group.create_texts("tf", factors);
  put(group, "direction", directions);
}

void write_genome(hdf5::Group group, const SimulationConfig& config, const SimulatedWorld& world,
                  const SimulatedGenome& genome) {
  std::vector<std::string> genes, factors;
  for (const Gene& gene : genome.genes) genes.push_back(gene.id);
  for (std::int32_t column : genome.factor_columns)
    factors.push_back(genes[static_cast<std::size_t>(column)]);
  std::vector<double> means;
  for (std::int64_t type = 0; type < config.cell_types; ++type)
    for (double share : genome.expression(genome.type_activity(type), -1))
      means.push_back(config.depth * share);
  const auto types = static_cast<std::size_t>(config.cell_types);
  group.create_texts("gene", genes);
  group.create_texts("tf", factors);
  put_matrix(group, "activity", types, genome.activity);
  put_matrix(group, "mean_expression", types, means);
  put_matrix(group, "batch_effect", static_cast<std::size_t>(config.batches), genome.batch_effect);
  write_edges(group.create_group("edges"), genome);
  write_perturbations(group.create_group("perturbations"), world, genome);
}

void write_homologues(hdf5::Group group, const SimulatedWorld& world) {
  std::vector<std::string> human, mouse;
  for (const auto& [of_human, of_mouse] : world.homologues) {
    human.push_back(world.genomes[0].genes[static_cast<std::size_t>(of_human)].id);
    mouse.push_back(world.genomes[1].genes[static_cast<std::size_t>(of_mouse)].id);
  }
  group.create_texts("human", human);
  group.create_texts("mouse", mouse);
}

}  // namespace

std::vector<std::string> perturbation_names(const SimulatedWorld& world, Species species) {
  const SimulatedGenome& genome = world.genomes[static_cast<std::size_t>(species)];
  std::vector<std::string> names;
  for (const SimulatedPerturbation& perturbation : world.perturbations) {
    const std::int32_t column =
        genome.factor_columns[static_cast<std::size_t>(perturbation.factor)];
    names.push_back(fmt::format("{}_{}", genome.genes[static_cast<std::size_t>(column)].symbol,
                                perturbation.direction < 0 ? "knockdown" : "overexpression"));
  }
  return names;
}

std::vector<std::string> type_names(const SimulationConfig& config) {
  std::vector<std::string> names;
  for (std::int64_t type = 1; type <= config.cell_types; ++type)
    names.push_back(fmt::format("type_{}", type));
  return names;
}

void write_truth(const std::filesystem::path& path, const SimulationConfig& config,
                 const SimulatedWorld& world, const std::array<SimulatedCellTable, 2>& cells) {
  hdf5::File file = hdf5::File::create(path);
  SimulationConfig settings = config;
  file.set_text_attribute("config", config::to_json(config::fields_of(settings)));
  file.set_numbers_attribute("seed", std::vector<std::uint64_t>{config.seed});
  file.create_texts("cell_types", type_names(config));
  write_homologues(file.create_group("homologues"), world);
  for (const SimulatedGenome& genome : world.genomes) {
    hdf5::Group group = file.create_group(std::string(name_of(genome.species)));
    write_cells(group.create_group("cells"), cells[static_cast<std::size_t>(genome.species)]);
    write_genome(std::move(group), config, world, genome);
  }
  file.flush();
}

}  // namespace lodestone
