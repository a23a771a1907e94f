#include <gtest/gtest.h>

#include "engine/memory/allocator.h"
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
using testing::relative_error;
using testing::test_device;

Dropout with_probability(float probability, std::int64_t rows) {
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  for (std::size_t r = 0; r < keys.size(); ++r)
    keys[r] = static_cast<std::int64_t>(row_key(7, static_cast<std::int64_t>(r)));
  return {probability, RandomKey::derive(4, 5, 6), Tensor::from(keys)};
}

std::vector<Tensor> inputs_of(std::int64_t rows, std::int64_t cols) {
  return {random_f64({rows, cols}, 1), random_f64({rows, cols}, 2), random_f64({cols}, 3),
          random_f64({cols}, 4)};
}

OpCase fused_case(std::int64_t rows, std::int64_t cols, float eps, float probability) {
  const Dropout d = with_probability(probability, rows);
  return {.name = fmt::format("[{}, {}], eps {}, probability {}", rows, cols, eps, probability),
          .f =
              [=](const auto& v) {
                return dropout_residual_layer_norm(v[0], v[1], v[2], v[3], eps, d);
              },
          .inputs = inputs_of(rows, cols),
          .f32_tolerance = 2e-6,
          .bf16_tolerance = 2e-2};
}

TEST(DropoutResidualLayerNorm, Cases) {
  check_ops({fused_case(1, 1, 1e-5f, 0), fused_case(3, 5, 1e-12f, 0.3f),
             fused_case(3, 5, 1e-12f, 0), fused_case(33, 67, 1e-12f, 0.1f),
             fused_case(2049, 3, 1e-1f, 0.5f)});
  // On CUDA a row has at most 1,024 columns, 2,048 where it is aligned to 16 bytes.
  const std::int64_t most = test_device().is_cpu() ? 2049 : 1023;
  check_op(fused_case(3, most, 1e-12f, 0.1f));
}

TEST(DropoutResidualLayerNorm, RowsTooLongForCudaAreRefused) {
  if (test_device().is_cpu()) GTEST_SKIP() << "the CPU takes rows of any length";
  expect_throws(
      ErrorKind::kInvalidArgument, [] { check_op(fused_case(3, 2049, 1e-12f, 0.1f)); },
      "too long for CUDA");
}

TEST(DropoutResidualLayerNorm, IsItsThreePartsInOne) {
  const std::vector<Tensor> in = inputs_of(9, 70);
  const Dropout d = with_probability(0.25f, 9);
  Tensor sum = dropout(Var(in[0]), d).value();
  for (std::size_t i = 0; i < sum.host<double>().size(); ++i)
    sum.host<double>()[i] += in[1].host<double>()[i];
  const Tensor parts = layer_norm(Var(sum), Var(in[2]), Var(in[3]), 1e-12f).value();
  const Tensor fused =
      dropout_residual_layer_norm(Var(in[0]), Var(in[1]), Var(in[2]), Var(in[3]), 1e-12f, d)
          .value();
  EXPECT_LT(relative_error(fused, parts), 1e-15);
}

TEST(DropoutResidualLayerNorm, RowsDoNotDependOnTheirBatch) {
  const std::vector<Tensor> in = inputs_of(40, 130);
  const Dropout d = with_probability(0.4f, 40);
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    const auto part = [&](const Tensor& t) { return Var(t.rows(begin, end).cast(DType::kF32)); };
    return dropout_residual_layer_norm(part(in[0]), part(in[1]), Var(in[2].cast(DType::kF32)),
                                       Var(in[3].cast(DType::kF32)), 1e-12f,
                                       {d.probability, d.key, d.row_keys.rows(begin, end)})
        .value();
  };
  const Tensor whole = run(0, 40);
  EXPECT_EQ(relative_error(run(0, 13), whole.rows(0, 13)), 0);
  EXPECT_EQ(relative_error(run(13, 40), whole.rows(13, 40)), 0);
}

TEST(DropoutResidualLayerNorm, KeepsOneTensorAndNothingWithoutRecording) {
  CountingAllocator counting(allocator(Device::cpu()));
  const AllocatorScope scope(Device::cpu(), counting);
  const std::vector<Tensor> in = inputs_of(8, 32);
  const Dropout d = with_probability(0.4f, 8);
  const Var x = Var::parameter(in[0], Tensor::zeros({8, 32}, DType::kF64, Device::cpu()));
  const std::size_t before = counting.stats().live_bytes;
  const auto bytes = [&] {
    const Var y = dropout_residual_layer_norm(x, Var(in[1]), Var(in[2]), Var(in[3]), 1e-12f, d);
    return counting.stats().live_bytes - before;
  };
  const std::size_t result = 8 * 32 * sizeof(double), statistics = 2 * 8 * sizeof(double);
  EXPECT_EQ(bytes(), 2 * result + statistics);
  const NoGrad no_grad;
  EXPECT_EQ(bytes(), result);
}

TEST(DropoutResidualLayerNorm, TheBitsDoNotDependOnRecording) {
  std::vector<Var> in;
  for (const Tensor& t : inputs_of(8, 33)) in.emplace_back(t.cast(DType::kBf16));
  const Dropout d = with_probability(0.4f, 8);
  const Var x = Var::parameter(in[0].value(), Tensor::zeros({8, 33}, DType::kF32, Device::cpu()));
  const Tensor recorded = dropout_residual_layer_norm(x, in[1], in[2], in[3], 1e-12f, d).value();
  const Tensor plain = dropout_residual_layer_norm(in[0], in[1], in[2], in[3], 1e-12f, d).value();
  EXPECT_EQ(relative_error(plain, recorded), 0);
}

TEST(DropoutResidualLayerNorm, RefusesWhatDoesNotFit) {
  const Var x(random_f64({2, 4}, 1)), other(random_f64({3, 4}, 2)), four(random_f64({4}, 3)),
      three(random_f64({3}, 4));
  const Dropout none;
  const auto refuses = [](const std::vector<Var>& v, float eps, const Dropout& d,
                          const std::string& text) {
    expect_throws(
        ErrorKind::kInvalidArgument,
        [&] { dropout_residual_layer_norm(v[0], v[1], v[2], v[3], eps, d); }, text);
  };
  const Var residual(random_f64({2, 4}, 5));
  refuses({x, other, four, four}, 1e-5f, none, "residual must be f64 [2, 4], got f64 [3, 4]");
  refuses({x, residual, three, four}, 1e-5f, none, "weight must be f64 [4]");
  refuses({x, residual, four, three}, 1e-5f, none, "bias must be f64 [4]");
  refuses({x, residual, four, four}, 0, none, "eps must be positive");
  refuses({x, residual, four, four}, 1e-5f, with_probability(0.1f, 3), "row_keys must be i64 [2]");
  refuses({x, residual, four, four}, 1e-5f, with_probability(1.5f, 2), "probability lies in");
  refuses({four, four, four, four}, 1e-5f, none, "x must be a matrix");
}

}  // namespace
}  // namespace lodestone
