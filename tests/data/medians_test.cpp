#include "data/medians.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/data/memory_cells.h"
#include "tests/testing/expect_error.h"
#include "tests/testing/temporary_folder.h"

namespace lodestone {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

double median_of(const std::vector<double>& values) {
  ValueCounts counts;
  for (const double value : values) counts.add(value);
  return counts.median();
}

TEST(Medians, OddAndEven) {
  EXPECT_EQ(median_of({3}), 3);
  EXPECT_EQ(median_of({4, 1}), 2.5);
  EXPECT_EQ(median_of({9, 1, 1}), 1);
  EXPECT_EQ(median_of({9, 1, 1, 4}), 2.5);
  expect_error(ErrorKind::kInvalidArgument, "no value", [] { ValueCounts().median(); });
}

TEST(Medians, EqualASortedList) {
  std::mt19937 random(7);
  for (const int distinct : {3, 50, 100000}) {
    for (const std::size_t size : {999u, 1000u, 5000u}) {
      std::vector<double> values;
      for (std::size_t i = 0; i < size; ++i)
        values.push_back(static_cast<double>(random() % static_cast<unsigned>(distinct)) / 8 + 1);
      const double median = median_of(values);
      std::sort(values.begin(), values.end());
      EXPECT_EQ(median, (values[(size - 1) / 2] + values[size / 2]) / 2);
    }
  }
}

TEST(Medians, FromATable) {
  const TemporaryFolder folder;
  Vocabulary vocabulary({{2, human_id(1), "", Species::kHuman, "", 5.0},
                         {3, human_id(2), "", Species::kHuman, "", {}}},
                        {}, {});
  EXPECT_TRUE(has_medians(vocabulary));
  const auto read = [&](const std::string& rows) {
    return read_medians(write_file(folder / "m.tsv", "gene\tmedian\n" + rows), vocabulary);
  };
  EXPECT_EQ(read("<pad>\t\n" + human_id(2) + ".4\t1.5\n" + human_id(9) + "\t2\n"), 1);
  EXPECT_EQ(vocabulary.token(3).median, 1.5);
  EXPECT_FALSE(vocabulary.token(2).median) << "what the table lacks has none";

  const auto refuses = [&](const std::string& sentence, const std::string& rows) {
    expect_error(ErrorKind::kBadInput, sentence, [&] { read(rows); });
  };
  refuses("is 'nan', expected a finite number", human_id(1) + "\tnan\n");
  refuses("m.tsv line 2: the median of", human_id(1) + "\t-1\n");
  refuses("line 2 already", human_id(1) + "\t1\n" + human_id(1) + "\t1\n");
  refuses("no median of a gene of the vocabulary", human_id(9) + "\t1\n");
}

}  // namespace
}  // namespace lodestone
