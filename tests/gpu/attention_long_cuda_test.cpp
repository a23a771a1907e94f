// The CUDA attention on a cell as long as the model's longest, 2,048 genes and the class row: 17
// tiles of queries and 33 of keys, the last of one row each.
#include <gtest/gtest.h>

#include "tests/gpu/attention_case.h"

namespace lodestone {
namespace {

using testing::AttentionCase;
using testing::AttentionResults;
using testing::AttentionTensors;
using testing::worst_row;

// Tolerances as in attention_cuda_test.cpp; a row is made of so many products of so small weights
// that what is left of a difference is as large as its terms.
TEST(LongAttentionCuda, IsTheCpus) {
  const AttentionCase c{{2049}, {2049}, 1, 64, false};
  const AttentionResults expected = AttentionTensors<double>(c).on_cpu();
  const AttentionResults got = AttentionTensors<BFloat16>(c).on_cuda();
  EXPECT_LE(worst_row(got.y, expected.y, c.head_size), 1.0 / 256);
  EXPECT_LE(worst_row(got.log_sums, expected.log_sums, c.heads), 3e-6);
  EXPECT_LE(worst_row(got.dqueries, expected.dqueries, c.head_size), 1.0 / 128);
  EXPECT_LE(worst_row(got.dkeys_values, expected.dkeys_values, c.head_size), 1.0 / 128);
}

}  // namespace
}  // namespace lodestone
