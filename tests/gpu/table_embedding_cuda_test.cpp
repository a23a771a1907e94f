// The CUDA table embedding against the CPU's, whose own tests check it against f64.
#include <gtest/gtest.h>

#include "kernels/table_embedding.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray;
using testing::kRounding;
using testing::random_elements;
using testing::relative_error;
using testing::same_bits;

// Tokens, `hot` of them on table row 1 and the rest anywhere, ordered by row.
struct Case {
  std::int64_t tokens, table_rows, columns;
  std::int64_t hot = 0;
};

// Alone, none, odd sizes, one row for a whole run, for exactly two runs and for more than a
// block's, more rows than tokens, ends of groups at ends of runs, the model's columns.
const std::vector<Case> kCases = {{1, 1, 1},
                                  {0, 3, 8},
                                  {5, 3, 7},
                                  {64, 1, 8},
                                  {128, 2, 8, 128},
                                  {2049, 9, 33, 1300},
                                  {2049, 900, 20, 250},
                                  {300, 2000, 264},
                                  {700, 80, 768, 90}};

struct Groups {
  std::vector<std::int32_t> row_of_token, token_order;
  std::vector<std::int64_t> group_offsets;
};

Groups groups_of(const Case& c) {
  std::mt19937 engine(3);
  Groups groups;
  std::vector<std::vector<std::int32_t>> tokens_of(static_cast<std::size_t>(c.table_rows));
  for (std::int64_t n = 0; n < c.tokens; ++n) {
    // The hot ones are spread evenly.
    const bool hot = n * c.hot / c.tokens != (n + 1) * c.hot / c.tokens;
    const auto row = hot ? 1 : static_cast<std::int32_t>(engine() % c.table_rows);
    groups.row_of_token.push_back(row);
    tokens_of[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(n));
  }
  groups.group_offsets.push_back(0);
  for (const auto& tokens : tokens_of) {
    groups.token_order.insert(groups.token_order.end(), tokens.begin(), tokens.end());
    groups.group_offsets.push_back(std::ssize(groups.token_order));
  }
  return groups;
}

template <class T>
class TableEmbeddingCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(TableEmbeddingCuda, Types);

template <class T>
void check_forward(const Case& c, bool with_values) {
  const Groups groups = groups_of(c);
  const auto table = random_elements<T>(c.table_rows * c.columns, 1);
  const auto weight = random_elements<T>(c.columns, 2);
  const auto values = random_elements<float>(c.tokens, 3);
  std::vector<T> expected(static_cast<std::size_t>(c.tokens * c.columns));
  run(kernels::TableEmbeddingForwardArgs{table.data(), with_values ? weight.data() : nullptr,
                                         values.data(), groups.row_of_token.data(), expected.data(),
                                         c.tokens, c.columns, kDTypeOf<T>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> table_there(table), weight_there(weight), y(c.tokens * c.columns, T(NAN));
  DeviceArray<float> values_there(values);
  DeviceArray<std::int32_t> rows(groups.row_of_token);
  run(kernels::TableEmbeddingForwardArgs{table_there.data(),
                                         with_values ? weight_there.data() : nullptr,
                                         values_there.data(), rows.data(), y.data(), c.tokens,
                                         c.columns, kDTypeOf<T>},
      stream);
  EXPECT_LE(relative_error(y.host(), expected), with_values ? kRounding<T> : 0)
      << c.tokens << " tokens of " << c.columns << " columns";
}

TYPED_TEST(TableEmbeddingCuda, ForwardIsTheCpus) {
  for (const Case& c : kCases)
    for (const bool with_values : {false, true}) check_forward<TypeParam>(c, with_values);
}

struct Backward {
  std::vector<float> dtable, dvalue_weight;
};

enum class Wanted { kBoth, kTable, kValueWeight };

// What is there before: NaN where it must not be read, ones where it is added to.
template <class T>
Backward backward_on_cuda(const Case& c, const std::vector<T>& dy, const std::vector<float>& values,
                          bool accumulate, Wanted wanted) {
  CudaStream stream(0);
  const Groups groups = groups_of(c);
  const float before = accumulate ? 1 : NAN;
  const std::int64_t workspace =
      kernels::table_embedding_backward_workspace(c.tokens, c.columns, stream);
  DeviceArray<T> dy_there(dy);
  DeviceArray<float> values_there(values), dtable(c.table_rows * c.columns, before),
      dvalue_weight(c.columns, before), workspace_there(workspace / 4, NAN);
  DeviceArray<std::int32_t> rows(groups.row_of_token), order(groups.token_order);
  DeviceArray<std::int64_t> offsets(groups.group_offsets);
  run(
      kernels::TableEmbeddingBackwardArgs{
          .dy = dy_there.data(),
          .values = wanted == Wanted::kTable ? nullptr : values_there.data(),
          .row_of_token = rows.data(),
          .token_order = order.data(),
          .group_offsets = offsets.data(),
          .dtable = {wanted == Wanted::kValueWeight ? nullptr : dtable.data(), accumulate},
          .dvalue_weight = {wanted == Wanted::kTable ? nullptr : dvalue_weight.data(), accumulate},
          .workspace = workspace_there.data(),
          .tokens = c.tokens,
          .columns = c.columns,
          .table_rows = c.table_rows,
          .dtype = kDTypeOf<T>},
      stream);
  return {dtable.host(), dvalue_weight.host()};
}

template <class T>
Backward backward_on_cpu(const Case& c, const std::vector<T>& dy, const std::vector<float>& values,
                         bool accumulate) {
  const Groups groups = groups_of(c);
  Backward result{std::vector<float>(static_cast<std::size_t>(c.table_rows * c.columns), 1),
                  std::vector<float>(static_cast<std::size_t>(c.columns), 1)};
  run(kernels::TableEmbeddingBackwardArgs{.dy = dy.data(),
                                          .values = values.data(),
                                          .token_order = groups.token_order.data(),
                                          .group_offsets = groups.group_offsets.data(),
                                          .dtable = {result.dtable.data(), accumulate},
                                          .dvalue_weight = {result.dvalue_weight.data(),
                                                            accumulate},
                                          .tokens = c.tokens,
                                          .columns = c.columns,
                                          .table_rows = c.table_rows,
                                          .dtype = kDTypeOf<T>},
      cpu_stream());
  return result;
}

TYPED_TEST(TableEmbeddingCuda, BackwardIsTheCpusAndTheSameTwice) {
  for (const Case& c : kCases) {
    const auto dy = random_elements<TypeParam>(c.tokens * c.columns, 4);
    const auto values = random_elements<float>(c.tokens, 5);
    for (const bool accumulate : {false, true}) {
      const Backward expected = backward_on_cpu(c, dy, values, accumulate);
      const Backward got = backward_on_cuda(c, dy, values, accumulate, Wanted::kBoth);
      const Backward again = backward_on_cuda(c, dy, values, accumulate, Wanted::kBoth);
      EXPECT_LE(relative_error(got.dtable, expected.dtable), kRounding<float>)
          << c.tokens << " tokens of " << c.columns << " columns";
      EXPECT_LE(relative_error(got.dvalue_weight, expected.dvalue_weight), kRounding<float>)
          << c.tokens << " tokens of " << c.columns << " columns";
      EXPECT_TRUE(same_bits(got.dtable, again.dtable));
      EXPECT_TRUE(same_bits(got.dvalue_weight, again.dvalue_weight));
    }
  }
}

TYPED_TEST(TableEmbeddingCuda, OneGradientAlone) {
  const Case c{300, 20, 72, 150};
  const auto dy = random_elements<TypeParam>(c.tokens * c.columns, 4);
  const auto values = random_elements<float>(c.tokens, 5);
  const Backward both = backward_on_cuda(c, dy, values, true, Wanted::kBoth);
  EXPECT_EQ(backward_on_cuda(c, dy, values, true, Wanted::kTable).dtable, both.dtable);
  EXPECT_EQ(backward_on_cuda(c, dy, values, true, Wanted::kValueWeight).dvalue_weight,
            both.dvalue_weight);
}

}  // namespace
}  // namespace lodestone
