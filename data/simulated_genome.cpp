#include "data/simulated_genome.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/random_variates.h"

namespace lodestone {
namespace {

constexpr std::int64_t kFirstReservedId = 90'000'000'001;
constexpr double kBaseSpread = 1.3;
constexpr double kMitochondrialBase = 2.5;  // gives them several per cent of the counts
constexpr double kNoncodingBase = -1;
constexpr double kNoncodingShare = 0.1;  // of all genes, at most those without a homologue
constexpr double kActivatingShare = 0.65;

// Genes before they get a column: factors, mitochondrial genes, other homologous genes, the
// species' own coding genes (the first of them in one-to-many families), non-coding RNAs.
struct Roles {
  explicit Roles(const SimulationConfig& config)
      : factors(config.transcription_factors),
        mitochondrial_end(factors + kMitochondrialGenes),
        homologous(
            static_cast<std::int64_t>(config.homologous_share * static_cast<double>(config.genes))),
        genes(config.genes),
        noncoding(std::max(homologous, genes - static_cast<std::int64_t>(
                                                   kNoncodingShare * static_cast<double>(genes)))),
        families((noncoding - homologous) / 4) {}
  bool is_factor(std::int64_t gene) const { return gene < factors; }
  bool is_mitochondrial(std::int64_t gene) const {
    return gene >= factors && gene < mitochondrial_end;
  }
  std::int64_t factors, mitochondrial_end, homologous, genes;
  std::int64_t noncoding;  // the first one
  std::int64_t families;   // a human gene and two mouse genes each
};

Gene gene_of(const Roles& roles, Species species, std::int64_t gene, std::int64_t column) {
  const bool human = species == Species::kHuman;
  Gene result;
  result.species = species;
  result.id = fmt::format("{}{:011d}", human ? "ENSG" : "ENSMUSG", kFirstReservedId + column);
  result.biotype = gene >= roles.noncoding ? "lncRNA" : "protein_coding";
  if (roles.is_mitochondrial(gene)) {
    result.symbol = fmt::format("{}{}", human ? "MT-SIM" : "mt-Sim", gene - roles.factors + 1);
    return result;
  }
  const char* stem = human ? "SIMG" : "Simg";
  if (roles.is_factor(gene)) stem = human ? "SIMTF" : "Simtf";
  if (gene >= roles.noncoding) stem = human ? "SIMLNC" : "Simlnc";
  result.symbol = fmt::format("{}{}", stem, gene + 1);
  return result;
}

// Fisher and Yates: the column of every gene.
std::vector<std::int32_t> columns_of(const SimulationConfig& config, Species species) {
  std::vector<std::int32_t> columns(static_cast<std::size_t>(config.genes));
  std::iota(columns.begin(), columns.end(), 0);
  VariateStream stream(species_key(config, species, SimulationPurpose::kOrder), 0);
  for (std::size_t last = columns.size() - 1; last > 0; --last)
    std::swap(columns[last],
              columns[static_cast<std::size_t>(stream.below(static_cast<std::int64_t>(last) + 1))]);
  return columns;
}

double base_of(const Roles& roles, std::int64_t gene, VariateStream& stream) {
  const double spread = kBaseSpread * normal_variate(stream);
  if (roles.is_mitochondrial(gene)) return kMitochondrialBase + spread / 2;
  return gene >= roles.noncoding ? kNoncodingBase + spread : spread;
}

// Appends the edges that end in `column`; factors ascend.
void regulate(const SimulationConfig& config, std::int32_t column, VariateStream& shared,
              VariateStream& own, std::vector<RegulatoryEdge>& edges) {
  const std::int64_t wanted = 1 + poisson_variate(shared, config.regulators - 1);
  const std::int64_t count = std::min(wanted, config.transcription_factors);
  std::vector<std::int32_t> factors;
  while (static_cast<std::int64_t>(factors.size()) < count) {
    const auto factor = static_cast<std::int32_t>(shared.below(config.transcription_factors));
    if (std::find(factors.begin(), factors.end(), factor) == factors.end())
      factors.push_back(factor);
  }
  std::sort(factors.begin(), factors.end());
  const double scale = 1 / std::sqrt(static_cast<double>(count));
  for (std::int32_t factor : factors) {
    const double sign = shared.open_uniform() < kActivatingShare ? 1 : -1;
    const double strength = 0.5 + shared.open_uniform();
    const double change = config.divergence * normal_variate(own);
    edges.push_back({factor, column, scale * (sign * strength + change)});
  }
}

std::vector<double> activities(const SimulationConfig& config, Species species) {
  const RandomKey shared = shared_key(config, SimulationPurpose::kActivity);
  const RandomKey own = species_key(config, species, SimulationPurpose::kActivity);
  std::vector<double> result;
  for (std::int64_t type = 0; type < config.cell_types; ++type) {
    VariateStream common(shared, static_cast<std::uint64_t>(type));
    VariateStream differing(own, static_cast<std::uint64_t>(type));
    for (std::int64_t factor = 0; factor < config.transcription_factors; ++factor)
      result.push_back(config.type_effect *
                       (normal_variate(common) + config.divergence * normal_variate(differing)));
  }
  return result;
}

std::vector<double> batch_effects(const SimulationConfig& config, Species species) {
  std::vector<double> result;
  for (std::int64_t batch = 0; batch < config.batches; ++batch) {
    VariateStream stream(species_key(config, species, SimulationPurpose::kBatch),
                         static_cast<std::uint64_t>(batch));
    for (std::int64_t gene = 0; gene < config.genes; ++gene)
      result.push_back(config.batch_effect * normal_variate(stream));
  }
  return result;
}

SimulatedGenome make_genome(const SimulationConfig& config, const Roles& roles, Species species,
                            const std::vector<std::int32_t>& columns) {
  SimulatedGenome genome;
  genome.species = species;
  genome.genes.resize(columns.size());
  genome.base.resize(columns.size());
  for (std::int64_t gene = 0; gene < config.genes; ++gene) {
    const std::int32_t column = columns[static_cast<std::size_t>(gene)];
    const auto at = static_cast<std::size_t>(column);
    const auto row = static_cast<std::uint64_t>(gene);
    const auto key = [&](SimulationPurpose purpose) {
      return gene < roles.homologous ? shared_key(config, purpose)
                                     : species_key(config, species, purpose);
    };
    VariateStream base(key(SimulationPurpose::kBase), row);
    VariateStream regulators(key(SimulationPurpose::kRegulators), row);
    VariateStream own(species_key(config, species, SimulationPurpose::kDivergence), row);
    genome.genes[at] = gene_of(roles, species, gene, column);
    genome.base[at] = base_of(roles, gene, base) + config.divergence * normal_variate(own);
    if (roles.is_factor(gene))
      genome.factor_columns.push_back(column);
    else if (!roles.is_mitochondrial(gene))
      regulate(config, column, regulators, own, genome.edges);
  }
  std::stable_sort(
      genome.edges.begin(), genome.edges.end(),
      [](const RegulatoryEdge& a, const RegulatoryEdge& b) { return a.target < b.target; });
  genome.activity = activities(config, species);
  genome.batch_effect = batch_effects(config, species);
  return genome;
}

}  // namespace

RandomKey shared_key(const SimulationConfig& config, SimulationPurpose purpose) {
  return RandomKey::derive(config.seed, 0, static_cast<std::uint32_t>(purpose));
}

RandomKey species_key(const SimulationConfig& config, Species species, SimulationPurpose purpose) {
  return RandomKey::derive(config.seed, static_cast<std::uint64_t>(species) + 1,
                           static_cast<std::uint32_t>(purpose));
}

std::span<const double> SimulatedGenome::type_activity(std::int64_t type) const {
  return std::span(activity).subspan(static_cast<std::size_t>(type) * factor_columns.size(),
                                     factor_columns.size());
}

std::vector<double> SimulatedGenome::expression(std::span<const double> activity_of_cell,
                                                std::int64_t batch) const {
  std::vector<double> result = base;
  for (std::size_t factor = 0; factor < factor_columns.size(); ++factor)
    result[static_cast<std::size_t>(factor_columns[factor])] += activity_of_cell[factor];
  for (const RegulatoryEdge& edge : edges)
    result[static_cast<std::size_t>(edge.target)] +=
        edge.weight * activity_of_cell[static_cast<std::size_t>(edge.factor)];
  if (batch >= 0)
    for (std::size_t gene = 0; gene < result.size(); ++gene)
      result[gene] += batch_effect[static_cast<std::size_t>(batch) * result.size() + gene];
  double total = 0;
  for (double& value : result) total += value = std::exp(value);
  for (double& value : result) value /= total;
  return result;
}

SimulatedWorld make_world(const SimulationConfig& config) {
  const Roles roles(config);
  const auto human = columns_of(config, Species::kHuman);
  const auto mouse = columns_of(config, Species::kMouse);
  SimulatedWorld world;
  world.genomes = {make_genome(config, roles, Species::kHuman, human),
                   make_genome(config, roles, Species::kMouse, mouse)};
  const auto pair = [&](std::int64_t of_human, std::int64_t of_mouse) {
    return std::pair(human[static_cast<std::size_t>(of_human)],
                     mouse[static_cast<std::size_t>(of_mouse)]);
  };
  for (std::int64_t gene = 0; gene < roles.homologous; ++gene)
    world.homologues.push_back(pair(gene, gene));
  for (std::int64_t family = 0; family < roles.families; ++family)
    for (std::int64_t copy : {0, 1})
      world.one_to_many.push_back(
          pair(roles.homologous + family, roles.homologous + 2 * family + copy));
  for (std::int64_t p = 0; p < config.perturbations; ++p)
    world.perturbations.push_back(
        {static_cast<std::int32_t>(p * config.transcription_factors / config.perturbations),
         p % 2 == 0 ? -1.0 : 1.0});
  return world;
}

}  // namespace lodestone
