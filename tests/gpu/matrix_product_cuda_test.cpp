// Products on CUDA against sums in f64: every layout, strides, GELU within the product.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "kernels/cpu/gelu.h"
#include "kernels/cuda/matrix_product.h"
#include "tests/gpu/device_array.h"

namespace lodestone {
namespace {

using kernels::matrix_product;
using kernels::MatrixProductArgs;
using testing::DeviceArray;

struct Case {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false, accumulate = false, gelu_tanh = false;
  std::int64_t gap = 0;  // elements between the rows of every matrix
};

std::string text_of(const Case& c) {
  return fmt::format("{} x {} x {}{}{}{}{}, gap {}", c.m, c.n, c.k, c.transpose_a ? ", a^T" : "",
                     c.transpose_b ? ", b^T" : "", c.accumulate ? ", accumulate" : "",
                     c.gelu_tanh ? ", GELU" : "", c.gap);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [m, n, k] :
       {std::array<std::int64_t, 3>{1, 1, 1}, {3, 5, 7}, {65, 24, 40}, {2, 2049, 3}, {9, 1, 130}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true})
        for (const bool accumulate : {false, true})
          for (const std::int64_t gap : {0, 8})
            all.push_back({m, n, k, transpose_a, transpose_b, accumulate, false, gap});
  all.push_back({5, 8, 3, false, true, false, true});
  all.push_back({33, 72, 24, false, true, false, true});
  return all;
}

// Rows of random elements, `gap` elements of NaN between them.
template <class T>
struct Matrix {
  Matrix(std::int64_t rows, std::int64_t columns, std::int64_t gap, unsigned seed)
      : stride(columns + gap), elements(static_cast<std::size_t>(rows * stride), T(NAN)) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        elements[static_cast<std::size_t>(r * stride + c)] = T(normal(engine));
  }
  double at(std::int64_t r, std::int64_t c) const {
    return static_cast<float>(elements[static_cast<std::size_t>(r * stride + c)]);
  }
  std::int64_t stride;
  std::vector<T> elements;
};

template <class T, class R>
void check_case(const Case& c) {
  const Matrix<T> a = c.transpose_a ? Matrix<T>(c.k, c.m, c.gap, 1) : Matrix<T>(c.m, c.k, c.gap, 1);
  const Matrix<T> b = c.transpose_b ? Matrix<T>(c.n, c.k, c.gap, 2) : Matrix<T>(c.k, c.n, c.gap, 2);
  const Matrix<T> bias(1, c.n, 0, 3);
  const bool has_bias = !c.accumulate && std::is_same_v<T, R>;
  Matrix<R> before(c.m, c.n, c.gap, 4);
  if (!c.accumulate) before.elements.assign(before.elements.size(), R(NAN));
  CudaStream stream(0);
  DeviceArray<T> a_there(a.elements), b_there(b.elements), bias_there(bias.elements);
  DeviceArray<R> c_there(before.elements), sums_there(c.m * c.n, R(NAN));
  matrix_product({.a = a_there.data(),
                  .b = b_there.data(),
                  .bias = has_bias ? bias_there.data() : nullptr,
                  .c = c_there.data(),
                  .sums = c.gelu_tanh ? sums_there.data() : nullptr,
                  .m = c.m,
                  .n = c.n,
                  .k = c.k,
                  .a_stride = c.gap == 0 ? 0 : a.stride,
                  .b_stride = c.gap == 0 ? 0 : b.stride,
                  .c_stride = c.gap == 0 ? 0 : before.stride,
                  .transpose_a = c.transpose_a,
                  .transpose_b = c.transpose_b,
                  .accumulate = c.accumulate,
                  .gelu_tanh = c.gelu_tanh,
                  .dtype = kDTypeOf<T>,
                  .result = kDTypeOf<R>},
                 stream);
  const std::vector<R> got = c_there.host(), sums = sums_there.host();
  // Of the size of a sum's terms: f32 sums, then one rounding to R.
  const double bound = std::is_same_v<R, float> ? 2e-6 : 8e-3;
  for (std::int64_t i = 0; i < c.m; ++i) {
    for (std::int64_t j = 0; j < c.n; ++j) {
      double sum = has_bias ? bias.at(0, j) : 0, size = 1;
      if (c.accumulate) sum += before.at(i, j);
      for (std::int64_t l = 0; l < c.k; ++l) {
        const double term =
            (c.transpose_a ? a.at(l, i) : a.at(i, l)) * (c.transpose_b ? b.at(j, l) : b.at(l, j));
        sum += term;
        size += std::abs(term);
      }
      const double expected = c.gelu_tanh ? kernels::gelu_tanh(sum) : sum;
      const auto at = static_cast<std::size_t>(i * before.stride + j);
      ASSERT_NEAR(static_cast<float>(got[at]), expected, bound * size) << text_of(c);
      if (!c.gelu_tanh) continue;
      ASSERT_NEAR(static_cast<float>(sums[at]), sum, bound * size) << text_of(c);
    }
    // What lies between the rows is not the product's.
    for (std::int64_t j = c.n; j < before.stride; ++j)
      ASSERT_TRUE(
          std::isnan(static_cast<float>(got[static_cast<std::size_t>(i * before.stride + j)])))
          << text_of(c);
  }
}

TEST(MatrixProductCuda, F32) {
  for (const Case& c : cases()) check_case<float, float>(c);
}
TEST(MatrixProductCuda, Bf16) {
  for (const Case& c : cases()) check_case<BFloat16, BFloat16>(c);
}
TEST(MatrixProductCuda, Bf16ToF32) {
  for (const Case& c : cases()) check_case<BFloat16, float>(c);
}

TEST(MatrixProductCuda, RefusesNothingToMultiply) {
  CudaStream stream(0);
  DeviceArray<float> one(1, 1.0f);
  EXPECT_THROW(
      matrix_product({.a = one.data(), .b = one.data(), .c = one.data(), .m = 1, .n = 1, .k = 0},
                     stream),
      Error);
}

}  // namespace
}  // namespace lodestone
