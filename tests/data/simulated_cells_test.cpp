// Do simulated cells have what was asked for? All at fixed seeds.
#include "data/simulated_cells.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "data/gene_id.h"
#include "engine/core/threads.h"
#include "tests/testing/expect_error.h"

namespace lodestone {
namespace {

SimulationConfig small_config() {
  SimulationConfig config;
  config.genes = 400;
  config.transcription_factors = 30;
  config.depth = 1200;
  return config;
}

// Cells of one species, counts dense: [cells][genes].
struct Cells {
  std::vector<SimulatedCell> truth;
  std::vector<std::vector<double>> counts;
  double total(std::size_t cell) const {
    double sum = 0;
    for (double count : counts[cell]) sum += count;
    return sum;
  }
  // log(1 + 1000 count / total)
  std::vector<double> log_expression(std::size_t cell) const {
    std::vector<double> result;
    const double scale = 1000 / total(cell);
    for (double count : counts[cell]) result.push_back(std::log1p(scale * count));
    return result;
  }
};

Cells make_cells(const SimulationConfig& config, const SimulatedWorld& world, Species species,
                 std::int64_t count) {
  Cells cells;
  for (std::int64_t i = 0; i < count; ++i)
    cells.truth.push_back(simulate_cell(config, world, species, i));
  const SimulatedGenome& genome = world.genomes[static_cast<std::size_t>(species)];
  const CellBlock block = simulate_counts(config, genome, 0, cells.truth);
  for (std::size_t i = 0; i < cells.truth.size(); ++i) {
    auto& row = cells.counts.emplace_back(static_cast<std::size_t>(config.genes));
    for (auto at = static_cast<std::size_t>(block.offsets[i]);
         at < static_cast<std::size_t>(block.offsets[i + 1]); ++at)
      row.at(static_cast<std::size_t>(block.genes[at])) = static_cast<double>(block.counts[at]);
  }
  return cells;
}

double mean_total(const Cells& cells) {
  double sum = 0;
  for (std::size_t i = 0; i < cells.counts.size(); ++i) sum += cells.total(i);
  return sum / static_cast<double>(cells.counts.size());
}

TEST(SimulatedCells, HaveTheDepthAskedForAlsoAfterDropout) {
  SimulationConfig config = small_config();
  for (double dropout : {0.0, 0.4}) {
    config.dropout = dropout;
    const Cells cells = make_cells(config, make_world(config), Species::kHuman, 1500);
    // The standard error of the mean is depth * (spread + gene noise) / sqrt(cells): about 1 %.
    EXPECT_NEAR(mean_total(cells), config.depth, 0.05 * config.depth) << dropout;
  }
}

TEST(SimulatedCells, HaveTheSpreadOfDepthAskedFor) {
  const SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  double sum = 0, squares = 0;
  constexpr double kCells = 4000;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const double depth = std::log(simulate_cell(config, world, Species::kMouse, i).counts);
    sum += depth;
    squares += depth * depth;
  }
  const double deviation = std::sqrt(squares / kCells - sum * sum / kCells / kCells);
  EXPECT_NEAR(deviation, config.depth_spread, 5 * config.depth_spread / std::sqrt(2 * kCells));
}

// With nothing else that differs between cells, variance = mean + dispersion mean^2.
TEST(SimulatedCells, HaveTheDispersionAskedFor) {
  SimulationConfig config = small_config();
  config.cell_types = 1;
  config.batches = 1;
  config.activity_noise = config.depth_spread = 0;
  for (double dispersion : {0.0, 0.5}) {
    config.dispersion = dispersion;
    const Cells cells = make_cells(config, make_world(config), Species::kHuman, 2000);
    double excess = 0, squares = 0;
    for (std::size_t gene = 0; gene < 400; ++gene) {
      double mean = 0, variance = 0;
      for (const auto& row : cells.counts) mean += row[gene] / 2000;
      for (const auto& row : cells.counts)
        variance += (row[gene] - mean) * (row[gene] - mean) / 1999;
      if (mean < 1) continue;
      excess += (variance - mean) / (mean * mean);
      ++squares;
    }
    EXPECT_NEAR(excess / squares, dispersion, 0.02) << squares << " genes";
  }
}

TEST(SimulatedCells, DropoutLosesThatShareOfCounts) {
  SimulationConfig config = small_config();
  config.genes = 100;
  config.depth = 1e5;
  config.dispersion = 0;
  config.dropout = 0.25;
  const Cells cells = make_cells(config, make_world(config), Species::kHuman, 300);
  double zeros = 0;
  for (const auto& row : cells.counts)
    zeros += static_cast<double>(std::count(row.begin(), row.end(), 0.0));
  EXPECT_NEAR(zeros / (300 * 100), 0.25, 0.02);
}

using Centroids = std::vector<std::vector<double>>;  // [types][features]

std::vector<std::vector<double>> features_of(const Cells& cells,
                                             const std::vector<std::int32_t>& columns) {
  std::vector<std::vector<double>> features;
  for (std::size_t i = 0; i < cells.counts.size(); ++i) {
    const std::vector<double> all = cells.log_expression(i);
    auto& row = features.emplace_back();
    for (std::int32_t column : columns) row.push_back(all[static_cast<std::size_t>(column)]);
  }
  // Relative to the species' mean, so that human and mouse can be compared.
  for (std::size_t f = 0; f < columns.size(); ++f) {
    double mean = 0;
    for (const auto& row : features) mean += row[f] / static_cast<double>(features.size());
    for (auto& row : features) row[f] -= mean;
  }
  return features;
}

Centroids centroids_of(const std::vector<std::vector<double>>& features, const Cells& cells,
                       std::size_t first, std::size_t last, std::size_t types) {
  Centroids centroids(types, std::vector<double>(features[0].size()));
  std::vector<double> counts(types);
  for (std::size_t i = first; i < last; ++i)
    ++counts[static_cast<std::size_t>(cells.truth[i].type)];
  for (std::size_t i = first; i < last; ++i) {
    const auto type = static_cast<std::size_t>(cells.truth[i].type);
    for (std::size_t f = 0; f < features[i].size(); ++f)
      centroids[type][f] += features[i][f] / counts[type];
  }
  return centroids;
}

// The share of cells first .. last - 1 whose nearest centroid is that of their type.
double accuracy_of(const Centroids& centroids, const std::vector<std::vector<double>>& features,
                   const Cells& cells, std::size_t first, std::size_t last) {
  double right = 0;
  for (std::size_t i = first; i < last; ++i) {
    std::size_t nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t type = 0; type < centroids.size(); ++type) {
      double distance = 0;
      for (std::size_t f = 0; f < features[i].size(); ++f)
        distance += (features[i][f] - centroids[type][f]) * (features[i][f] - centroids[type][f]);
      if (distance < least) least = distance, nearest = type;
    }
    right += nearest == static_cast<std::size_t>(cells.truth[i].type);
  }
  return right / static_cast<double>(last - first);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double sa = 0, sb = 0, ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sa += a[i] / n;
    sb += b[i] / n;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - sa) * (b[i] - sb);
    aa += (a[i] - sa) * (a[i] - sa);
    bb += (b[i] - sb) * (b[i] - sb);
  }
  return ab / std::sqrt(aa * bb);
}

TEST(SimulatedCells, TypesAreSeparableWithinAndAcrossSpecies) {
  const SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  std::vector<std::int32_t> human_columns, mouse_columns;
  for (const auto& [human, mouse] : world.homologues) {
    human_columns.push_back(human);
    mouse_columns.push_back(mouse);
  }
  const Cells human = make_cells(config, world, Species::kHuman, 600);
  const Cells mouse = make_cells(config, world, Species::kMouse, 600);
  const auto human_features = features_of(human, human_columns);
  const auto mouse_features = features_of(mouse, mouse_columns);
  const Centroids halves = centroids_of(human_features, human, 0, 300, 6);
  EXPECT_GT(accuracy_of(halves, human_features, human, 300, 600), 0.95);
  const Centroids of_human = centroids_of(human_features, human, 0, 600, 6);
  EXPECT_GT(accuracy_of(of_human, mouse_features, mouse, 0, 600), 0.9);
  // Homologous genes go together type by type, and not between different types.
  const Centroids of_mouse = centroids_of(mouse_features, mouse, 0, 600, 6);
  for (std::size_t a = 0; a < 6; ++a)
    for (std::size_t b = 0; b < 6; ++b) {
      if (a == b)
        EXPECT_GT(correlation(of_human[a], of_mouse[b]), 0.7) << a;
      else
        EXPECT_LT(correlation(of_human[a], of_mouse[b]), 0.5) << a << " " << b;
    }
}

TEST(SimulatedCells, DoNotDependOnTheirBlockOrThreads) {
  const SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  std::vector<SimulatedCell> cells;
  for (std::int64_t i = 0; i < 40; ++i)
    cells.push_back(simulate_cell(config, world, Species::kHuman, i));
  const SimulatedGenome& genome = world.genomes[0];
  const CellBlock whole = simulate_counts(config, genome, 0, cells);
  const int before = thread_count();
  set_thread_count(1);
  const CellBlock first = simulate_counts(config, genome, 0, {cells.begin(), cells.begin() + 7});
  const CellBlock rest = simulate_counts(config, genome, 7, {cells.begin() + 7, cells.end()});
  set_thread_count(before);
  std::vector<float> counts = first.counts;
  counts.insert(counts.end(), rest.counts.begin(), rest.counts.end());
  EXPECT_EQ(counts, whole.counts);
  EXPECT_EQ(whole.cells(), 40);
  EXPECT_EQ(rest.first_cell, 7);
}

TEST(SimulatedCells, PerturbationsMoveTheFactorAndItsTargetsWithTheDose) {
  SimulationConfig config = small_config();
  config.perturbations = 2;
  config.doses = 2;
  const SimulatedWorld world = make_world(config);
  const SimulatedGenome& genome = world.genomes[0];
  ASSERT_EQ(world.perturbations.size(), 2u);
  const Cells cells = make_cells(config, world, Species::kHuman, 3000);
  for (std::int32_t p = 0; p < 2; ++p) {
    const auto [factor, direction] = world.perturbations[static_cast<std::size_t>(p)];
    EXPECT_EQ(direction, p == 0 ? -1 : 1);
    // The factor's own gene, and the gene it regulates most strongly.
    const auto edge = std::max_element(genome.edges.begin(), genome.edges.end(),
                                       [&](const auto& a, const auto& b) {
                                         const auto strength = [&](const RegulatoryEdge& e) {
                                           return e.factor == factor ? std::abs(e.weight) : 0;
                                         };
                                         return strength(a) < strength(b);
                                       });
    const auto change = [&](std::int32_t column, double dose) {
      double with = 0, without = 0, treated = 0, controls = 0;
      for (std::size_t i = 0; i < cells.truth.size(); ++i) {
        const double value = cells.counts[i][static_cast<std::size_t>(column)] / cells.total(i);
        if (cells.truth[i].perturbation == -1) without += value, ++controls;
        if (cells.truth[i].perturbation == p && cells.truth[i].dose == dose)
          with += value, ++treated;
      }
      EXPECT_GT(treated, 200);
      EXPECT_NEAR(controls, 1500, 150);
      return std::log((with / treated) / (without / controls));
    };
    const std::int32_t own = genome.factor_columns[static_cast<std::size_t>(factor)];
    EXPECT_GT(direction * change(own, 0.5), 0.4);
    EXPECT_GT(direction * change(own, 1), direction * change(own, 0.5) + 0.3);
    const double sign = edge->weight > 0 ? direction : -direction;
    EXPECT_GT(sign * change(edge->target, 1), 0.3);
  }
}

TEST(SimulatedWorld, NamesGenesAsEnsemblDoes) {
  SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  for (const SimulatedGenome& genome : world.genomes) {
    std::set<std::string> ids, symbols;
    std::int64_t mitochondrial = 0, noncoding = 0;
    for (const Gene& gene : genome.genes) {
      const auto id = parse_gene_id(gene.id);
      ASSERT_TRUE(id) << gene.id;
      EXPECT_EQ(id->species, genome.species);
      ids.insert(gene.id);
      symbols.insert(gene.symbol);
      mitochondrial += is_mitochondrial(gene.symbol);
      noncoding += gene.biotype == "lncRNA";
    }
    EXPECT_EQ(ids.size(), 400u);
    EXPECT_EQ(symbols.size(), 400u);
    EXPECT_EQ(mitochondrial, kMitochondrialGenes);
    EXPECT_EQ(noncoding, 40);
    EXPECT_EQ(*ids.begin(),
              genome.species == Species::kHuman ? "ENSG90000000001" : "ENSMUSG90000000001");
  }
}

TEST(SimulatedWorld, HomologuesAreOneToOneAndShareTheirRegulation) {
  const SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  EXPECT_EQ(world.homologues.size(), 320u);
  std::set<std::int32_t> human, mouse;
  for (const auto& [of_human, of_mouse] : world.homologues) {
    human.insert(of_human);
    mouse.insert(of_mouse);
  }
  EXPECT_EQ(human.size(), 320u);
  EXPECT_EQ(mouse.size(), 320u);
  EXPECT_FALSE(world.one_to_many.empty());
  for (const auto& [of_human, of_mouse] : world.one_to_many)
    EXPECT_FALSE(human.contains(of_human) || mouse.contains(of_mouse));
  const auto regulators = [](const SimulatedGenome& genome, std::int32_t column) {
    std::vector<std::int32_t> factors;
    for (const RegulatoryEdge& edge : genome.edges)
      if (edge.target == column) factors.push_back(edge.factor);
    return factors;
  };
  for (const auto& [of_human, of_mouse] : world.homologues)
    EXPECT_EQ(regulators(world.genomes[0], of_human), regulators(world.genomes[1], of_mouse));
}

TEST(SimulatedWorld, ExpressionIsTheLogLinearModel) {
  const SimulationConfig config = small_config();
  const SimulatedWorld world = make_world(config);
  const SimulatedGenome& genome = world.genomes[0];
  const std::vector<double> none(30);
  std::vector<double> one = none;
  one[3] = 0.7;
  const auto before = genome.expression(none, -1), after = genome.expression(one, -1);
  double sum = 0;
  for (double share : after) sum += share;
  EXPECT_NEAR(sum, 1, 1e-12);
  // Ratios between two genes cancel the normalisation.
  const auto own = static_cast<std::size_t>(genome.factor_columns[3]);
  const auto other = static_cast<std::size_t>(genome.factor_columns[4]);
  EXPECT_NEAR(std::log(after[own] / after[other] / (before[own] / before[other])), 0.7, 1e-9);
  for (const RegulatoryEdge& edge : genome.edges) {
    if (edge.factor != 3) continue;
    const auto target = static_cast<std::size_t>(edge.target);
    EXPECT_NEAR(std::log(after[target] / after[other] / (before[target] / before[other])),
                0.7 * edge.weight, 1e-9);
  }
}

TEST(SimulationConfig, NamesEveryFault) {
  SimulationConfig config;
  EXPECT_NO_THROW(check_simulation(config));
  config.cells = 0;
  config.dropout = 1;
  config.depth = std::numeric_limits<double>::quiet_NaN();
  for (const char* name : {"cells must be", "dropout must be", "depth must be"})
    testing::expect_error(ErrorKind::kInvalidArgument, name, [&] { check_simulation(config); });
}

TEST(SimulationConfig, RefusesMoreRolesThanHomologues) {
  SimulationConfig config;
  config.homologous_share = 0.05;  // 60 of 1,200: the factors, but not the mitochondrial genes
  testing::expect_error(ErrorKind::kInvalidArgument, "at least 73",
                        [&] { check_simulation(config); });
  config.homologous_share = 1;
  EXPECT_NO_THROW(check_simulation(config));
  EXPECT_TRUE(make_world(config).one_to_many.empty());
}

TEST(SimulationConfig, RefusesMorePerturbationsThanFactors) {
  SimulationConfig config;
  config.perturbations = 61;
  testing::expect_error(ErrorKind::kInvalidArgument, "perturbations must be 0 to 60, is 61",
                        [&] { check_simulation(config); });
}

}  // namespace
}  // namespace lodestone
