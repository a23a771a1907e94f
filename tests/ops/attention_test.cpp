#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
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

// Every row's key as if its cell were number `first_ordinal` + cell of a global batch.
Tensor keys_of(const std::vector<std::int64_t>& lengths, std::int64_t first_ordinal = 0) {
  std::vector<std::int64_t> keys;
  for (std::size_t cell = 0; cell < lengths.size(); ++cell)
    for (std::int64_t position = 0; position < lengths[cell]; ++position)
      keys.push_back(static_cast<std::int64_t>(
          row_key(first_ordinal + static_cast<std::int64_t>(cell), position)));
  return Tensor::from(keys);
}

Dropout some_dropout(const std::vector<std::int64_t>& lengths, float probability = 0.3f) {
  return {probability, RandomKey{11}, keys_of(lengths)};
}

bool is_dropped(const Dropout& dropout, std::int64_t row, std::int64_t key, std::int64_t head) {
  const auto row_key = static_cast<std::uint64_t>(
      dropout.row_keys.host<std::int64_t>()[static_cast<std::size_t>(row)]);
  const PhiloxBlock words = dropout.key.at(row_key, static_cast<std::uint32_t>(key / 4),
                                           static_cast<std::uint32_t>(head));
  return words[static_cast<std::size_t>(key % 4)] < drop_threshold(dropout.probability);
}

// The definition, one query at a time, in f64.
Tensor plain_attention(const Tensor& qkv, const std::vector<std::int64_t>& lengths,
                       std::int64_t heads, const Dropout& dropout) {
  const std::int64_t rows = qkv.shape()[0], columns = qkv.shape()[1] / 3, size = columns / heads;
  Tensor y = Tensor::zeros({rows, columns}, DType::kF64, Device::cpu());
  const double* from = qkv.host<double>().data();
  std::int64_t first = 0;
  for (const std::int64_t length : lengths) {
    for (std::int64_t q = first; q < first + length; ++q)
      for (std::int64_t h = 0; h < heads; ++h) {
        const auto part = [&](std::int64_t row, int which) {
          return from + (3 * row + which) * columns + h * size;
        };
        std::vector<double> weights(static_cast<std::size_t>(length));
        for (std::int64_t k = 0; k < length; ++k)
          weights[static_cast<std::size_t>(k)] =
              std::inner_product(part(q, 0), part(q, 0) + size, part(first + k, 1), 0.0) /
              std::sqrt(static_cast<double>(size));
        const double top = *std::max_element(weights.begin(), weights.end());
        double sum = 0;
        for (double& weight : weights) sum += weight = std::exp(weight - top);
        for (std::int64_t k = 0; k < length; ++k) {
          if (dropout.probability > 0 && is_dropped(dropout, q, k, h)) continue;
          const double probability = weights[static_cast<std::size_t>(k)] / sum /
                                     (1 - static_cast<double>(dropout.probability));
          for (std::int64_t d = 0; d < size; ++d)
            y.host<double>()[static_cast<std::size_t>(q * columns + h * size + d)] +=
                probability * part(first + k, 2)[d];
        }
      }
    first += length;
  }
  return y;
}

Var run_attention(const Tensor& qkv, const std::vector<std::int64_t>& lengths, std::int64_t heads,
                  const Dropout& dropout = {}) {
  return attention(Var(qkv), offsets_of(lengths), heads, dropout);
}

OpCase attention_case(const std::string& name, const std::vector<std::int64_t>& lengths,
                      std::int64_t heads, std::int64_t head_size, bool dropped = false) {
  const std::int64_t rows = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const Tensor offsets = offsets_of(lengths);
  const Dropout dropout = dropped ? some_dropout(lengths) : Dropout{};
  return {
      .name = name,
      .f = [=](const std::vector<Var>& in) { return attention(in[0], offsets, heads, dropout); },
      .inputs = {random_f64({rows, 3 * heads * head_size}, 5)},
      .gradient_tolerance = 1e-7,
      .f32_tolerance = 1e-5,
      .bf16_tolerance = 1e-2};
}

TEST(Attention, PassesTheTable) {
  check_ops({attention_case("one row", {1}, 1, 8), attention_case("two cells", {2, 3}, 2, 8),
             attention_case("empty cells", {0, 2, 0, 1, 0}, 1, 8),
             attention_case("head of 32", {5, 97}, 2, 32),
             attention_case("head of 64", {63, 64, 65}, 1, 64),
             attention_case("head of 128", {100, 7}, 1, 128),
             attention_case("head of 24", {95, 96, 97}, 1, 24),
             attention_case("dropout", {7, 101}, 2, 8, true),
             attention_case("dropout, head of 64", {66}, 1, 64, true)});
}

TEST(Attention, PassesTheTableOnALongCell) {
  OpCase c = attention_case("2049 rows", {2049}, 1, 16);
  c.gradcheck = false;
  testing::check_op(c);
}

TEST(Attention, FollowsItsDefinition) {
  const std::vector<std::int64_t> lengths{1, 2, 63, 64, 65, 300, 2049};
  const std::int64_t rows = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const std::int64_t heads = 1, size = 16;
  const Tensor qkv = random_f64({rows, 3 * heads * size}, 3).cast(DType::kF32);
  for (const Dropout& dropout : {Dropout{}, some_dropout(lengths, 0.1f)}) {
    const Tensor expected = plain_attention(qkv.cast(DType::kF64), lengths, heads, dropout);
    EXPECT_LT(relative_error(run_attention(qkv.cast(DType::kF64), lengths, heads, dropout).value(),
                             expected),
              1e-13);
    EXPECT_LT(relative_error(run_attention(qkv, lengths, heads, dropout).value(), expected), 2e-6);
  }
}

TEST(Attention, FollowsItsDefinitionForEveryHeadSize) {
  const std::vector<std::int64_t> lengths{97, 5};
  for (const std::int64_t size : {8, 24, 32, 64, 128, 200}) {
    const Tensor qkv = random_f64({102, 3 * 3 * size}, 9);
    const Tensor expected = plain_attention(qkv, lengths, 3, some_dropout(lengths));
    EXPECT_LT(
        relative_error(run_attention(qkv, lengths, 3, some_dropout(lengths)).value(), expected),
        1e-13)
        << "head size " << size;
  }
}

TEST(Attention, ACellDoesNotDependOnItsPack) {
  const std::vector<std::int64_t> lengths{130, 3, 97, 200};
  const Tensor qkv = random_f64({430, 3 * 2 * 32}, 4).cast(DType::kF32);
  const auto gradient_of = [](const Tensor& x, const std::vector<std::int64_t>& cells,
                              const Dropout& dropout, Tensor& y) {
    Tensor dqkv = Tensor::zeros(x.shape(), DType::kF32, Device::cpu());
    const Var result = attention(Var::parameter(x, dqkv), offsets_of(cells), 2, dropout);
    y = result.value();
    backward(result, y.clone());
    return dqkv;
  };
  Tensor y_packed, y_alone;
  const Tensor packed = gradient_of(qkv, lengths, some_dropout(lengths), y_packed);
  const Dropout third{0.3f, RandomKey{11}, keys_of({97}, 2)};
  const Tensor alone = gradient_of(qkv.rows(133, 230), {97}, third, y_alone);
  EXPECT_EQ(std::memcmp(y_packed.rows(133, 230).data(), y_alone.data(), y_alone.bytes()), 0);
  EXPECT_EQ(std::memcmp(packed.rows(133, 230).data(), alone.data(), alone.bytes()), 0);
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const std::vector<std::int64_t> lengths{150};
  Tensor qkv = random_f64({150, 3 * 64}, 6);
  for (double& x : qkv.host<double>()) x *= 100;  // scores of up to some 1e5
  Tensor f32 = qkv.cast(DType::kF32);
  Tensor dqkv = Tensor::zeros(f32.shape(), DType::kF32, Device::cpu());
  const Var y = attention(Var::parameter(f32, dqkv), offsets_of(lengths), 1, {});
  EXPECT_LT(relative_error(y.value(), plain_attention(f32.cast(DType::kF64), lengths, 1, {})),
            1e-2);  // scores of 1e5 carry errors of 1e-2 in f32
  backward(y, y.value().clone());
  for (const float g : dqkv.host<float>()) ASSERT_TRUE(std::isfinite(g));
}

TEST(Attention, EqualKeysAverageTheValues) {
  Tensor qkv = Tensor::zeros({3, 3 * 8}, DType::kF32, Device::cpu());
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t d = 0; d < 8; ++d)
      qkv.host<float>()[row * 24 + 16 + d] = static_cast<float>(row);
  const Var y = run_attention(qkv, {3}, 1);
  for (const float v : y.value().host<float>()) EXPECT_FLOAT_EQ(v, 1.0f);
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Tensor qkv = random_f64({4, 48}, 1);
  const auto call = [&](const Tensor& x, const Tensor& offsets, std::int64_t heads,
                        const Dropout& dropout = {}) {
    return [=] { attention(Var(x), offsets, heads, dropout); };
  };
  const auto kind = ErrorKind::kInvalidArgument;
  const Tensor offsets = offsets_of({4});
  expect_throws(kind, call(qkv, offsets, 5), "48 columns are not 3 times 5 heads");
  expect_throws(kind, call(qkv, offsets, 0), "0 heads");
  expect_throws(kind, call(qkv.view({192}), offsets, 2), "must be a matrix");
  expect_throws(kind, call(qkv, offsets_of({3}), 2), "from 0 to the 4 rows");
  expect_throws(kind, call(qkv, Tensor::from(std::vector<std::int64_t>{0, 5, 4}), 2),
                "cell 1 has offsets 5 and 4");
  expect_throws(kind, call(qkv, Tensor::from(std::vector<std::int32_t>{0, 4}), 2),
                "offsets must be i64");
  expect_throws(kind, call(qkv, offsets, 2, {1.0f, {}, keys_of({4})}), "in [0, 1), got 1");
  expect_throws(kind, call(qkv, offsets, 2, {0.5f, {}, keys_of({3})}), "row_keys must be i64 [4]");
  expect_throws(kind, call(qkv, offsets, 2, {0.5f, {}, {}}), "row_keys is missing");
}

}  // namespace
}  // namespace lodestone
