#include "bench/cells.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "data/token_directory_writer.h"
#include "engine/core/check.h"
#include "train/trainer.h"

namespace lodestone::bench {

namespace fs = std::filesystem;

namespace {

// How likely each gene is expressed, relative to the others.
std::vector<double> popularity(std::int64_t vocabulary, std::mt19937_64& random) {
  constexpr double kSpread = 1.5;
  std::vector<double> weights(static_cast<std::size_t>(vocabulary - kSpecialTokens));
  std::lognormal_distribution<double> draw(0, kSpread);
  std::generate(weights.begin(), weights.end(), [&] { return draw(random); });
  return weights;
}

// The first `count` of a weighted order: each gene waits for an exponential time of its rate.
std::vector<std::uint32_t> draw_genes(const std::vector<double>& weights, std::int64_t count,
                                      std::mt19937_64& random) {
  std::vector<double> waits;
  std::exponential_distribution<double> wait;
  waits.reserve(weights.size());
  for (const double weight : weights) waits.push_back(wait(random) / weight);
  std::vector<std::uint32_t> genes(weights.size());
  std::iota(genes.begin(), genes.end(), 0u);
  std::partial_sort(genes.begin(), genes.begin() + count, genes.end(),
                    [&](std::uint32_t a, std::uint32_t b) { return waits[a] < waits[b]; });
  genes.resize(static_cast<std::size_t>(count));
  for (std::uint32_t& gene : genes) gene += kSpecialTokens;
  return genes;
}

std::vector<float> draw_values(std::int64_t count, std::mt19937_64& random) {
  std::gamma_distribution<float> ratio(1.5f, 1.5f);
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return std::log2(1.01f + ratio(random)); });
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "lodestone-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    fail(ErrorKind::kIo, "{}: the folder cannot be made; point TMPDIR at one that can be written",
         name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_cells(const fs::path& path, const std::vector<std::int64_t>& lengths,
                 std::int64_t vocabulary, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<double> weights = popularity(vocabulary, random);
  TokenPlan plan;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    plan.lengths.push_back(static_cast<std::int32_t>(lengths[i]));
    plan.species.push_back(i % 2 == 0 ? Species::kHuman : Species::kMouse);
    plan.cell_ids.push_back(fmt::format("cell-{}", i));
  }
  fs::create_directories(path);
  TokenDirectoryWriter writer(path, {.seed = seed, .vocabulary_size = vocabulary}, plan);
  for (std::size_t i = 0; i < lengths.size(); ++i)
    writer.put(static_cast<std::int64_t>(i), draw_genes(weights, lengths[i], random),
               draw_values(lengths[i], random));
  writer.finish("{}");
}

GlobalBatch batch_of(const TokenDirectory& data, const LoaderConfig& config) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.cells()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  GlobalBatch batch;
  for (const std::vector<std::int64_t>& some : cut_by_tokens(data, all, config)) {
    batch.micro_batches.push_back(make_batch(data, some, batch.cells, 0, config));
    batch.cells += batch.micro_batches.back().cells();
    batch.tokens += batch.micro_batches.back().tokens();
    batch.chosen += batch.micro_batches.back().chosen();
  }
  return batch;
}

}  // namespace lodestone::bench
