#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/testing/op_case.h"

namespace lodestone {
namespace {

using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;

Tensor row_keys(std::int64_t rows, std::int64_t first = 0) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  for (std::size_t r = 0; r < keys.size(); ++r) {
    const std::int64_t row = first + static_cast<std::int64_t>(r);
    keys[r] = static_cast<std::int64_t>(row_key(row / 100, row % 100));
  }
  return Tensor::from(keys);
}

Dropout half(std::int64_t rows, float probability = 0.5f) {
  return {probability, RandomKey::derive(1, 2, 3), row_keys(rows)};
}

Tensor ones(const Shape& shape, DType dtype = DType::kF32) {
  Tensor x = Tensor::empty(shape, DType::kF64, Device::cpu());
  for (double& v : x.host<double>()) v = 1;
  return x.cast(dtype);
}

OpCase dropout_case(std::int64_t rows, std::int64_t cols, float probability) {
  return {.name = fmt::format("[{}, {}], probability {}", rows, cols, probability),
          .f = [d = half(rows, probability)](const auto& v) { return dropout(v[0], d); },
          .inputs = {random_f64({rows, cols}, 1)},
          .f32_tolerance = 1e-6,
          .bf16_tolerance = 5e-3};
}

TEST(Dropout, Cases) {
  check_ops({dropout_case(1, 1, 0.01f), dropout_case(3, 5, 0.3f), dropout_case(7, 67, 0.1f),
             dropout_case(2049, 3, 0.5f), dropout_case(3, 2049, 0.1f)});
}

TEST(Dropout, ProbabilityZeroIsTheIdentityAndReadsNothing) {
  const Var x(ones({2, 3}));
  EXPECT_EQ(dropout(x, Dropout{}).value().data(), x.value().data());
}

TEST(Dropout, IsTheMaskThatThePhiloxBlocksDefine) {
  const Dropout d = half(5, 0.3f);
  const Tensor y = dropout(Var(ones({5, 11})), d).value();
  for (std::int64_t r = 0; r < 5; ++r)
    for (std::int64_t c = 0; c < 11; ++c) {
      const auto key =
          static_cast<std::uint64_t>(d.row_keys.host<std::int64_t>()[static_cast<std::size_t>(r)]);
      const std::uint32_t word =
          d.key.at(key, static_cast<std::uint32_t>(c / 4))[static_cast<std::size_t>(c % 4)];
      const float expected = word < drop_threshold(0.3f) ? 0.0f : 1 / (1 - 0.3f);
      EXPECT_FLOAT_EQ(y.host<float>()[static_cast<std::size_t>(r * 11 + c)], expected);
    }
}

TEST(Dropout, DropsAtItsRate) {
  constexpr std::int64_t kRows = 1000, kCols = 300;
  for (const float probability : {0.02f, 0.1f, 0.5f, 0.9f}) {
    const Tensor y = dropout(Var(ones({kRows, kCols})), half(kRows, probability)).value();
    std::int64_t dropped = 0;
    for (const float v : y.host<float>()) dropped += v == 0;
    const double n = kRows * kCols;
    const double deviation = std::sqrt(n * probability * (1 - probability));
    EXPECT_NEAR(static_cast<double>(dropped), n * probability, 4 * deviation) << probability;
  }
}

TEST(Dropout, RowsDoNotDependOnTheirBatch) {
  const Tensor x = random_f64({40, 130}, 1).cast(DType::kF32);
  const RandomKey key = RandomKey::derive(1, 2, 3);
  const Tensor whole = dropout(Var(x), {0.4f, key, row_keys(40)}).value();
  const Tensor tail = dropout(Var(x.rows(13, 40)), {0.4f, key, row_keys(27, 13)}).value();
  EXPECT_EQ(testing::relative_error(tail, whole.rows(13, 40)), 0);
}

TEST(Dropout, OtherKeysDropOthers) {
  const Var x(ones({8, 64}));
  const auto run = [&](std::uint64_t step, std::uint32_t op) {
    return dropout(x, {0.5f, RandomKey::derive(1, step, op), row_keys(8)}).value();
  };
  EXPECT_EQ(testing::relative_error(run(1, 1), run(1, 1)), 0);
  EXPECT_GT(testing::relative_error(run(1, 2), run(1, 1)), 0.5);
  EXPECT_GT(testing::relative_error(run(2, 1), run(1, 1)), 0.5);
}

TEST(Dropout, TheGradientHasTheSameMask) {
  Tensor dx = Tensor::zeros({6, 70}, DType::kF32, Device::cpu());
  const Var y = dropout(Var::parameter(ones({6, 70}), dx), half(6));
  const Tensor result = y.value();
  backward(y, ones({6, 70}));
  EXPECT_EQ(testing::relative_error(dx, result), 0);
}

TEST(Dropout, RefusesWhatDoesNotFit) {
  const Var x(ones({2, 4}));
  const auto refuses = [](const Var& v, const Dropout& d, const std::string& text) {
    expect_throws(
        ErrorKind::kInvalidArgument, [&] { dropout(v, d); }, text);
  };
  refuses(x, half(2, 1.0f), "probability lies in [0, 1), got 1");
  refuses(x, half(2, -0.1f), "probability lies in [0, 1)");
  refuses(x, half(2, std::nanf("")), "probability lies in [0, 1)");
  refuses(x, half(3), "row_keys must be i64 [2], got i64 [3]");
  refuses(x, {0.5f, {}, Tensor()}, "row_keys is missing");
  refuses(x, {0.5f, {}, ones({2})}, "row_keys must be i64 [2], got f32 [2]");
  refuses(Var(ones({4})), half(4), "x must be a matrix");
}

}  // namespace
}  // namespace lodestone
