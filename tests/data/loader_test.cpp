#include "data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "engine/io/files.h"
#include "tests/data/token_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::expect_error;
using testing::make_directory;
using testing::TemporaryFolder;

std::vector<std::int64_t> all_of(const TokenDirectory& cells) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(cells.cells()));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

LoaderConfig config_of(std::int64_t batch_cells) {
  LoaderConfig config;
  config.batch_cells = batch_cells;
  config.micro_batch_tokens = 300;
  config.prefetch = 0;
  return config;
}

template <class T>
void append(std::vector<T>& to, const Tensor& from) {
  const auto values = from.host<T>();
  to.insert(to.end(), values.begin(), values.end());
}

// A global batch with its cuts removed.
struct Whole {
  std::vector<std::int32_t> genes, species, masked_rows, gene_labels;
  std::vector<float> values, value_labels;
  std::vector<std::int64_t> lengths, ordinals;
  friend bool operator==(const Whole&, const Whole&) = default;
};

Whole whole_of(const GlobalBatch& batch) {
  Whole whole;
  for (const Batch& part : batch.micro_batches) {
    const auto first_row = static_cast<std::int32_t>(whole.genes.size());
    for (const std::int32_t row : part.masked_rows.host<std::int32_t>())
      whole.masked_rows.push_back(first_row + row);
    append(whole.genes, part.genes);
    append(whole.species, part.species);
    append(whole.gene_labels, part.gene_labels);
    append(whole.values, part.values);
    append(whole.value_labels, part.value_labels);
    append(whole.ordinals, part.ordinals);
    const auto offsets = part.offsets.host<std::int64_t>();
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      whole.lengths.push_back(offsets[i + 1] - offsets[i]);
  }
  return whole;
}

std::vector<Whole> take(Loader& loader, int count) {
  std::vector<Whole> batches;
  for (int i = 0; i < count; ++i) batches.push_back(whole_of(loader.next()));
  return batches;
}

class LoaderTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  TokenDirectory cells_ = make_directory(folder_ / "tokens", 130, 60);
};

// Without masking a cell is known by its tokens.
TEST_F(LoaderTest, EveryCellComesOncePerEpoch) {
  LoaderConfig config = config_of(13);
  config.mask_probability = 0;
  Loader loader(cells_, all_of(cells_), config);
  EXPECT_EQ(loader.steps_per_epoch(), 10);
  std::multiset<std::vector<std::int32_t>> expected, found;
  for (std::int64_t i = 0; i < cells_.cells(); ++i)
    expected.insert({cells_[i].tokens.begin(), cells_[i].tokens.end()});
  for (int step = 0; step < 10; ++step)
    for (const Batch& part : loader.next().micro_batches) {
      const auto genes = part.genes.host<std::int32_t>();
      const auto offsets = part.offsets.host<std::int64_t>();
      for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
        found.insert({genes.begin() + offsets[i], genes.begin() + offsets[i + 1]});
    }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(loader.state().epoch, 1);
  EXPECT_EQ(loader.state().step, 0);
}

TEST_F(LoaderTest, TheRemainderOfAnEpochIsLeftOut) {
  Loader loader(cells_, all_of(cells_), config_of(50));
  EXPECT_EQ(loader.steps_per_epoch(), 2);
  EXPECT_EQ(loader.next().cells, 50);
  EXPECT_EQ(loader.next().cells, 50);
  EXPECT_EQ(loader.next().at.epoch, 1);
  Loader larger(cells_, all_of(cells_), config_of(1000));
  EXPECT_EQ(larger.steps_per_epoch(), 1);
  EXPECT_EQ(larger.next().cells, 130);
}

TEST_F(LoaderTest, EpochsDifferInOrderAndInMasks) {
  Loader loader(cells_, all_of(cells_), config_of(130));
  const auto batches = take(loader, 2);
  EXPECT_NE(batches[0].lengths, batches[1].lengths);
  const auto shown = [&](std::int64_t epoch) {
    GlobalBatch batch;
    batch.micro_batches.push_back(make_batch(cells_, {5, 6}, 0, epoch, config_of(2)));
    return whole_of(batch);
  };
  EXPECT_EQ(shown(0), shown(0));
  EXPECT_NE(shown(0), shown(1));
}

TEST_F(LoaderTest, SeedsDiffer) {
  LoaderConfig config = config_of(20);
  Loader first(cells_, all_of(cells_), config);
  config.seed += 1;
  Loader second(cells_, all_of(cells_), config);
  EXPECT_NE(take(first, 1), take(second, 1));
}

TEST_F(LoaderTest, BatchesDependNeitherOnPrefetchingNorOnTheCut) {
  Loader plain(cells_, all_of(cells_), config_of(20));
  const auto expected = take(plain, 15);
  for (const int prefetch : {0, 1, 3}) {
    for (const std::int64_t budget : {1, 77, 1'000'000}) {
      LoaderConfig config = config_of(20);
      config.prefetch = prefetch;
      config.micro_batch_tokens = budget;
      Loader loader(cells_, all_of(cells_), config);
      EXPECT_EQ(take(loader, 15), expected) << prefetch << " " << budget;
    }
  }
}

TEST_F(LoaderTest, MicroBatchesKeepTheBudgetAndHoldAtLeastOneCell) {
  LoaderConfig config = config_of(40);
  config.micro_batch_tokens = 50;
  Loader loader(cells_, all_of(cells_), config);
  const GlobalBatch batch = loader.next();
  std::int64_t cells = 0, tokens = 0, chosen = 0;
  for (std::size_t i = 0; i < batch.micro_batches.size(); ++i) {
    const Batch& part = batch.micro_batches[i];
    EXPECT_TRUE(part.tokens() <= 50 || part.cells() == 1);
    if (i > 0) {  // the first cell of this one did not fit the one before
      EXPECT_GT(batch.micro_batches[i - 1].tokens() + part.offsets.host<std::int64_t>()[1], 50);
    }
    cells += part.cells();
    tokens += part.tokens();
    chosen += part.chosen();
  }
  EXPECT_EQ(cells, batch.cells);
  EXPECT_EQ(tokens, batch.tokens);
  EXPECT_EQ(chosen, batch.chosen);
  EXPECT_EQ(cells, 40);
}

TEST_F(LoaderTest, OrdinalsAreThePlacesInTheGlobalBatch) {
  Loader loader(cells_, all_of(cells_), config_of(25));
  std::vector<std::int64_t> expected(25);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(take(loader, 1)[0].ordinals, expected);
  EXPECT_EQ(take(loader, 1)[0].ordinals, expected);
}

TEST_F(LoaderTest, ResumingAnywhereGivesTheSameBatches) {
  LoaderConfig config = config_of(20);  // 6 steps per epoch
  Loader straight(cells_, all_of(cells_), config);
  const auto expected = take(straight, 20);
  for (const int before : {1, 5, 6, 9}) {
    for (const int prefetch : {0, 2}) {
      config.prefetch = prefetch;
      Loader stopped(cells_, all_of(cells_), config);
      take(stopped, before);
      Loader resumed(cells_, all_of(cells_), config, stopped.state());
      const auto rest = take(resumed, 20 - before);
      EXPECT_TRUE(std::equal(rest.begin(), rest.end(), expected.begin() + before)) << before;
    }
  }
}

TEST_F(LoaderTest, LongCellsAreCutToTheHighestValues) {
  LoaderConfig config = config_of(130);
  config.max_length = 10;
  config.mask_probability = 0;
  const Batch batch = make_batch(cells_, {3, 4, 5}, 0, 0, config);
  const auto offsets = batch.offsets.host<std::int64_t>();
  const auto genes = batch.genes.host<std::int32_t>();
  for (std::size_t i = 0; i < 3; ++i) {
    const CellTokens cell = cells_[static_cast<std::int64_t>(3 + i)];
    const auto kept = std::min<std::int64_t>(static_cast<std::int64_t>(cell.tokens.size()), 10);
    EXPECT_EQ(offsets[i + 1] - offsets[i], kept);
    EXPECT_TRUE(std::equal(genes.begin() + offsets[i], genes.begin() + offsets[i + 1],
                           cell.tokens.begin()));
  }
}

TEST_F(LoaderTest, LabelsAreWhatWasThere) {
  LoaderConfig config = config_of(130);
  config.mask_probability = 0.5;
  std::vector<std::int64_t> indices = all_of(cells_);
  const Batch batch = make_batch(cells_, indices, 100, 4, config);
  std::vector<std::int32_t> genes;
  std::vector<float> values;
  for (const std::int64_t index : indices) {
    genes.insert(genes.end(), cells_[index].tokens.begin(), cells_[index].tokens.end());
    values.insert(values.end(), cells_[index].values.begin(), cells_[index].values.end());
  }
  const auto rows = batch.masked_rows.host<std::int32_t>();
  ASSERT_GT(rows.size(), 500u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    EXPECT_EQ(batch.gene_labels.host<std::int32_t>()[i], genes[row]);
    EXPECT_EQ(batch.value_labels.host<float>()[i], values[row]);
    genes[row] = batch.genes.host<std::int32_t>()[row];
    values[row] = batch.values.host<float>()[row];
  }
  // Nothing else was changed.
  EXPECT_TRUE(std::equal(genes.begin(), genes.end(), batch.genes.host<std::int32_t>().begin()));
  EXPECT_TRUE(std::equal(values.begin(), values.end(), batch.values.host<float>().begin()));
  EXPECT_EQ(batch.ordinals.host<std::int64_t>()[0], 100);
}

TEST_F(LoaderTest, OnlyTheSubsetIsDrawn) {
  LoaderConfig config = config_of(2);
  config.mask_probability = 0;
  Loader loader(cells_, {7, 9}, config);
  const Whole batch = take(loader, 1)[0];
  std::vector<std::int64_t> lengths = batch.lengths;
  std::sort(lengths.begin(), lengths.end());
  std::vector<std::int64_t> expected = {cells_.length(7), cells_.length(9)};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(lengths, expected);
}

TEST_F(LoaderTest, ALoaderMayBeDestroyedWhileItsThreadWorks) {
  LoaderConfig config = config_of(20);
  config.prefetch = 2;
  for (int i = 0; i < 20; ++i) {
    Loader loader(cells_, all_of(cells_), config);
    if (i % 2 == 0) loader.next();
  }
  Loader loader(cells_, all_of(cells_), config);
  EXPECT_GE(loader.next().wait_seconds, 0);
}

TEST_F(LoaderTest, RefusesImpossibleSettings) {
  const auto expect_refused = [&](const std::string& why, auto&& change) {
    LoaderConfig config = config_of(20);
    LoaderState start;
    std::vector<std::int64_t> subset = all_of(cells_);
    change(config, start, subset);
    expect_error(ErrorKind::kInvalidArgument, why, [&] { Loader(cells_, subset, config, start); });
  };
  expect_refused("batch_cells", [](auto& config, auto&, auto&) { config.batch_cells = 0; });
  expect_refused("micro_batch_tokens",
                 [](auto& config, auto&, auto&) { config.micro_batch_tokens = 0; });
  expect_refused("max_length", [](auto& config, auto&, auto&) { config.max_length = 0; });
  expect_refused("mask_probability",
                 [](auto& config, auto&, auto&) { config.mask_probability = 1.5; });
  expect_refused("prefetch", [](auto& config, auto&, auto&) { config.prefetch = -1; });
  expect_refused("step 6 of an epoch of 6", [](auto&, auto& start, auto&) { start.step = 6; });
  expect_refused("no cells to draw from", [](auto&, auto&, auto& subset) { subset.clear(); });
  expect_refused("has no cell 130", [](auto&, auto&, auto& subset) { subset.push_back(130); });
}

TEST(SplitCells, IsAPartitionOfTheRightShare) {
  const Split split = split_cells(20'000, 0.1, 3);
  std::vector<std::int64_t> all = split.training;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  EXPECT_TRUE(std::is_sorted(split.training.begin(), split.training.end()));
  EXPECT_TRUE(std::is_sorted(split.held_out.begin(), split.held_out.end()));
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<std::int64_t>(i));
  // Binomial: mean 2000, standard deviation 42.
  EXPECT_NEAR(static_cast<double>(split.held_out.size()), 2000, 5 * 42);
  EXPECT_NE(split_cells(20'000, 0.1, 4).held_out, split.held_out);
  EXPECT_TRUE(split_cells(100, 0, 3).held_out.empty());
  // A cell's side does not depend on how many cells there are.
  const Split fewer = split_cells(1'000, 0.1, 3);
  EXPECT_TRUE(std::equal(fewer.held_out.begin(), fewer.held_out.end(), split.held_out.begin()));
}

}  // namespace
}  // namespace lodestone
