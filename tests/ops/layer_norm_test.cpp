#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/testing/op_case.h"
#include "tests/testing/test_device.h"

namespace lodestone {
namespace {

using testing::check_op;
using testing::check_ops;
using testing::expect_throws;
using testing::OpCase;
using testing::random_f64;
using testing::test_device;

OpCase layer_norm_case(std::int64_t rows, std::int64_t cols, float eps) {
  return {.name = fmt::format("[{}, {}], eps {}", rows, cols, eps),
          .f = [=](const std::vector<Var>& v) { return layer_norm(v[0], v[1], v[2], eps); },
          .inputs = {random_f64({rows, cols}, 1), random_f64({cols}, 2), random_f64({cols}, 3)},
          .f32_tolerance = 2e-6,
          .bf16_tolerance = 1e-2};
}

TEST(LayerNorm, Cases) {
  check_ops({layer_norm_case(1, 1, 1e-5f), layer_norm_case(1, 2, 1e-1f),
             layer_norm_case(3, 5, 1e-12f), layer_norm_case(33, 67, 1e-12f),
             layer_norm_case(2049, 3, 1e-1f)});
  // On CUDA a row has at most 1,024 columns, 2,048 where it is aligned to 16 bytes.
  const std::int64_t most = test_device().is_cpu() ? 2049 : 1023;
  check_op(layer_norm_case(3, most, 1e-12f));
}

TEST(LayerNorm, RowsTooLongForCudaAreRefused) {
  if (test_device().is_cpu()) GTEST_SKIP() << "the CPU takes rows of any length";
  expect_throws(
      ErrorKind::kInvalidArgument, [] { check_op(layer_norm_case(3, 2049, 1e-12f)); },
      "too long for CUDA");
}

TEST(LayerNorm, TwiceThroughTheSameParameters) {
  check_ops({{.name = "nested",
              .f =
                  [](const std::vector<Var>& v) {
                    return layer_norm(layer_norm(v[0], v[1], v[2], 1e-12f), v[1], v[2], 1e-12f);
                  },
              .inputs = {random_f64({4, 6}, 1), random_f64({6}, 2), random_f64({6}, 3)},
              .gradient_tolerance = 1e-6,
              .bf16_tolerance = 3e-2}});
}

// A variance in one pass, mean(x^2) - mean(x)^2, would be wrong by some 5 % here.
TEST(LayerNorm, KeepsDigitsFarFromZero) {
  Tensor x = random_f64({4, 64}, 1);
  for (double& v : x.host<double>()) v = std::round(v * 64) / 64 + 1000;
  const Tensor one = Tensor::from(std::vector<double>(64, 1.0));
  const Tensor zero = Tensor::from(std::vector<double>(64, 0.0));
  const auto run = [&](DType dtype) {
    return layer_norm(Var(x.cast(dtype)), Var(one.cast(dtype)), Var(zero.cast(dtype)), 1e-12f)
        .value();
  };
  EXPECT_LT(testing::relative_error(run(DType::kF32), run(DType::kF64)), 1e-3);
}

TEST(LayerNorm, RowsHaveMeanZeroAndVarianceOne) {
  const Tensor one = Tensor::from(std::vector<double>(7, 1.0));
  const Tensor zero = Tensor::from(std::vector<double>(7, 0.0));
  const Tensor y = layer_norm(Var(random_f64({5, 7}, 1)), Var(one), Var(zero), 1e-12f).value();
  for (std::int64_t r = 0; r < 5; ++r) {
    const Tensor row = y.rows(r, r + 1);
    double sum = 0, squares = 0;
    for (const double v : row.host<double>()) {
      sum += v;
      squares += v * v;
    }
    EXPECT_NEAR(sum, 0, 1e-13);
    EXPECT_NEAR(squares / 7, 1, 1e-10);
  }
}

TEST(LayerNorm, NoRows) {
  const Var x(Tensor::empty({0, 3}, DType::kF64, Device::cpu()));
  Tensor dweight = Tensor::zeros({3}, DType::kF64, Device::cpu());
  const Var y =
      layer_norm(x, Var::parameter(random_f64({3}, 1), dweight), Var(random_f64({3}, 2)), 1e-12f);
  backward(y, Tensor::empty({0, 3}, DType::kF64, Device::cpu()));
  for (const double v : dweight.host<double>()) EXPECT_EQ(v, 0);
}

TEST(LayerNorm, RefusesWhatDoesNotFit) {
  const Var x(random_f64({2, 4}, 1)), four(random_f64({4}, 2)), three(random_f64({3}, 3));
  const auto refuses = [](const Var& a, const Var& b, const Var& c, float eps,
                          const std::string& text) {
    expect_throws(
        ErrorKind::kInvalidArgument, [&] { layer_norm(a, b, c, eps); }, text);
  };
  refuses(x, three, four, 1e-5f, "weight must be f64 [4], got f64 [3]");
  refuses(x, four, three, 1e-5f, "bias must be f64 [4], got f64 [3]");
  refuses(x, four, Var(four.value().cast(DType::kBf16)), 1e-5f, "got bf16 [4]");
  refuses(four, four, four, 1e-5f, "x must be a matrix");
  refuses(x, four, four, 0, "eps must be positive");
  refuses(x, four, four, std::nanf(""), "eps must be positive");
  refuses(Var(Tensor::empty({2, 0}, DType::kF64, Device::cpu())), four, four, 1e-5f,
          "must have columns");
}

TEST(LayerNorm, AnErrorNamesItsLine) {
  try {
    layer_norm(Var(random_f64({2, 4}, 1)), Var(random_f64({4}, 2)), Var(random_f64({4}, 3)), -1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.where().file_name()).find("layer_norm.cpp"), std::string::npos);
  }
}

}  // namespace
}  // namespace lodestone
