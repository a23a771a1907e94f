#include <gtest/gtest.h>

#include <numeric>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;
using testing::relative_error;

Tensor offsets_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return Tensor::from(offsets);
}

std::int64_t total(const std::vector<std::int64_t>& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

// Every second row of each cell is a query, with the key its row has.
struct Chosen {
  std::vector<std::int32_t> rows;
  std::vector<std::int64_t> lengths, all_keys, keys;
  explicit Chosen(const std::vector<std::int64_t>& cells) {
    std::int64_t first = 0;
    for (std::size_t cell = 0; cell < cells.size(); ++cell) {
      lengths.push_back((cells[cell] + 1) / 2);
      for (std::int64_t position = 0; position < cells[cell]; ++position) {
        const auto key =
            static_cast<std::int64_t>(row_key(static_cast<std::int64_t>(cell), position));
        all_keys.push_back(key);
        if (position % 2 != 0) continue;
        rows.push_back(static_cast<std::int32_t>(first + position));
        keys.push_back(key);
      }
      first += cells[cell];
    }
  }
  Dropout dropout() const { return {0.3f, RandomKey{11}, Tensor::from(keys)}; }
};

OpCase chosen_case(const std::string& name, const std::vector<std::int64_t>& cells,
                   std::int64_t heads, std::int64_t head_size, bool dropped) {
  const Chosen chosen(cells);
  const Tensor offsets = offsets_of(cells), query_offsets = offsets_of(chosen.lengths);
  const Dropout dropout = dropped ? chosen.dropout() : Dropout{};
  const std::int64_t width = heads * head_size;
  return {.name = name,
          .f =
              [=](const std::vector<Var>& in) {
                return attention(in[0], in[1], query_offsets, offsets, heads, dropout);
              },
          .inputs = {random_f64({total(chosen.lengths), width}, 5),
                     random_f64({total(cells), 2 * width}, 6)},
          .gradient_tolerance = 1e-7,
          .f32_tolerance = 1e-5,
          .bf16_tolerance = 1e-2};
}

TEST(ChosenRowsAttention, PassesTheTable) {
  check_ops({chosen_case("one row", {1}, 1, 8, false),
             chosen_case("empty cells", {0, 3, 0, 1}, 2, 8, false),
             chosen_case("head of 64", {63, 64, 193}, 1, 64, false),
             chosen_case("head of 32, dropout", {5, 97, 201}, 2, 32, true),
             chosen_case("head of 128", {100, 7}, 1, 128, false)});
}

TEST(ChosenRowsAttention, GivesTheRowsOfTheWhole) {
  const std::vector<std::int64_t> cells{1, 96, 250};
  const Chosen chosen(cells);
  const std::int64_t heads = 2, width = 2 * 32;
  const Tensor queries = random_f64({total(cells), width}, 1).cast(DType::kF32);
  const Tensor keys_values = random_f64({total(cells), 2 * width}, 2).cast(DType::kF32);
  const std::vector<Var> parts{Var(queries), Var(keys_values)};
  const Dropout all{0.3f, RandomKey{11}, Tensor::from(chosen.all_keys)};
  const Tensor rows = Tensor::from(chosen.rows);
  const Var whole =
      attention(concat_columns(parts, std::vector<float>{1, 1}), offsets_of(cells), heads, all);
  const Var some = attention(gather_rows(parts[0], rows), parts[1], offsets_of(chosen.lengths),
                             offsets_of(cells), heads, chosen.dropout());
  EXPECT_LT(relative_error(some.value(), gather_rows(whole, rows).value().cast(DType::kF64)), 1e-6);
}

TEST(ChosenRowsAttention, RefusesWhatDoesNotFit) {
  const Var queries(random_f64({2, 16}, 1)), keys_values(random_f64({4, 32}, 1));
  const auto kind = ErrorKind::kInvalidArgument;
  const auto call = [&](const Tensor& query_offsets, const Tensor& offsets, std::int64_t heads) {
    return [=] { attention(queries, keys_values, query_offsets, offsets, heads, {}); };
  };
  expect_throws(kind, call(offsets_of({2}), offsets_of({4}), 3), "16 columns are not 1 times 3");
  expect_throws(kind, call(offsets_of({2}), offsets_of({1, 3}), 2), "of 1 cells, the keys of 2");
  expect_throws(kind, call(offsets_of({3}), offsets_of({4}), 2), "from 0 to the 2 rows");
  expect_throws(
      kind,
      [&] {
        attention(queries, Var(random_f64({4, 16}, 1)), offsets_of({2}), offsets_of({4}), 2, {});
      },
      "keys_values must be");
}

}  // namespace
}  // namespace lodestone
