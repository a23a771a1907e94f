// The CUDA linear layer against the CPU's, whose own tests check it against f64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/linear.h"
#include "kernels/row_blocks.h"
#include "tests/gpu/device_array.h"

namespace lodestone {
namespace {

using kernels::LinearBackwardArgs;
using kernels::LinearForwardArgs;
using testing::DeviceArray;

struct Case {
  std::int64_t rows, in, out;
  Activation activation = Activation::kNone;
  bool has_bias = true;
};

// One of everything, odd sizes, one column, whole chunks, more rows than one run, no rows.
const std::vector<Case> kCases = {
    {1, 1, 1},
    {1, 1, 1, Activation::kGelu},
    {5, 7, 3, Activation::kGelu},
    {5, 7, 3, Activation::kNone, false},
    {9, 40, 1, Activation::kGelu},
    {33, 24, 72, Activation::kGelu},
    {33, 24, 72, Activation::kGeluTanh},
    {7, 24, 264, Activation::kGelu, false},
    {3, 5, 9, Activation::kGeluTanh},
    {2049, 5, 8, Activation::kGelu},
    {3, 2049, 5},
    {5, 3, 2049, Activation::kGelu},
    {0, 4, 8, Activation::kGelu},
};

std::string text_of(const Case& c) {
  return fmt::format("[{}, {}] to {}, activation {}{}", c.rows, c.in, c.out,
                     static_cast<int>(c.activation), c.has_bias ? "" : ", no bias");
}

template <class T>
std::vector<T> random_elements(std::int64_t count, unsigned seed, float deviation = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = T(normal(engine));
  return values;
}

template <class T>
double relative_error(const std::vector<T>& got, const std::vector<T>& expected) {
  double difference = 0, whole = 1e-30;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = static_cast<float>(expected[i]);
    difference += std::pow(static_cast<double>(static_cast<float>(got[i])) - e, 2);
    whole += e * e;
  }
  return std::sqrt(difference / whole);
}

// Roundings to T, and sums in another order.
template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-6 : 4e-3;

template <class T>
struct Inputs {
  explicit Inputs(const Case& c)
      : x(random_elements<T>(c.rows * c.in, 1)),
        weight(random_elements<T>(c.out * c.in, 2, 1 / std::sqrt(static_cast<float>(c.in)))),
        bias(random_elements<T>(c.out, 3)),
        dy(random_elements<T>(c.rows * c.out, 4)) {}
  std::vector<T> x, weight, bias, dy;
};

template <class T>
struct Forward {
  std::vector<T> y, pre_activation;
};

template <class T>
Forward<T> forward_on_cpu(const Case& c, const Inputs<T>& in) {
  const auto size = static_cast<std::size_t>(c.rows * c.out);
  Forward<T> result{std::vector<T>(size), std::vector<T>(size)};
  run(LinearForwardArgs{in.x.data(), in.weight.data(), c.has_bias ? in.bias.data() : nullptr,
                        result.pre_activation.data(), result.y.data(), c.rows, c.in, c.out,
                        c.activation, kDTypeOf<T>},
      cpu_stream());
  return result;
}

template <class T>
Forward<T> forward_on_cuda(const Case& c, const Inputs<T>& in, bool in_place) {
  CudaStream stream(0);
  DeviceArray<T> x(in.x), weight(in.weight), bias(in.bias), pre(c.rows * c.out, T(NAN)),
      y(c.rows * c.out, T(NAN));
  run(LinearForwardArgs{x.data(), weight.data(), c.has_bias ? bias.data() : nullptr,
                        in_place ? y.data() : pre.data(), y.data(), c.rows, c.in, c.out,
                        c.activation, kDTypeOf<T>},
      stream);
  return {y.host(), pre.host()};
}

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dweight, dbias;
};

// What is there before: NaN where it must not be read, ones where it is added to.
template <class T>
Backward<T> backward_on_cuda(const Case& c, const Inputs<T>& in, const std::vector<T>& pre_host,
                             bool accumulate) {
  CudaStream stream(0);
  const float before = accumulate ? 1 : NAN;
  DeviceArray<T> x(in.x), weight(in.weight), dy(in.dy), pre(pre_host), dpre(c.rows * c.out, T(NAN)),
      dx(c.rows * c.in, T(before));
  DeviceArray<float> dweight(c.out * c.in, before), dbias(c.out, before),
      parts(kernels::row_blocks(c.rows) * c.out, NAN);
  run(LinearBackwardArgs{dy.data(),
                         x.data(),
                         weight.data(),
                         pre.data(),
                         dpre.data(),
                         {dx.data(), accumulate},
                         {dweight.data(), accumulate},
                         {c.has_bias ? dbias.data() : nullptr, accumulate},
                         parts.data(),
                         c.rows,
                         c.in,
                         c.out,
                         c.activation,
                         kDTypeOf<T>},
      stream);
  return {dx.host(), dweight.host(), c.has_bias ? dbias.host() : std::vector<float>()};
}

template <class T>
Backward<T> backward_on_cpu(const Case& c, const Inputs<T>& in, const std::vector<T>& pre,
                            bool accumulate) {
  Backward<T> result{std::vector<T>(in.x.size(), T(1)), std::vector<float>(in.weight.size(), 1),
                     std::vector<float>(c.has_bias ? in.bias.size() : 0, 1)};
  std::vector<T> dpre(in.dy.size());
  std::vector<float> parts(static_cast<std::size_t>(kernels::row_blocks(c.rows) * c.out));
  run(LinearBackwardArgs{in.dy.data(),
                         in.x.data(),
                         in.weight.data(),
                         pre.data(),
                         dpre.data(),
                         {result.dx.data(), accumulate},
                         {result.dweight.data(), accumulate},
                         {c.has_bias ? result.dbias.data() : nullptr, accumulate},
                         parts.data(),
                         c.rows,
                         c.in,
                         c.out,
                         c.activation,
                         kDTypeOf<T>},
      cpu_stream());
  return result;
}

template <class T>
class LinearCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(LinearCuda, Types);

TYPED_TEST(LinearCuda, ForwardIsTheCpusAndTheSameTwice) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const Inputs<T> in(c);
    const Forward<T> expected = forward_on_cpu(c, in);
    const Forward<T> got = forward_on_cuda(c, in, false), again = forward_on_cuda(c, in, false);
    const Forward<T> in_place = forward_on_cuda(c, in, true);
    EXPECT_LE(relative_error(got.y, expected.y), kTolerance<T>) << text_of(c);
    EXPECT_LE(relative_error(in_place.y, expected.y), kTolerance<T>) << text_of(c) << ", in place";
    EXPECT_EQ(got.y, again.y) << text_of(c);
    if (c.activation == Activation::kNone) continue;
    EXPECT_LE(relative_error(got.pre_activation, expected.pre_activation), kTolerance<T>)
        << text_of(c);
  }
}

TYPED_TEST(LinearCuda, BackwardIsTheCpusAndTheSameTwice) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const Inputs<T> in(c);
    const std::vector<T> pre = forward_on_cpu(c, in).pre_activation;
    for (const bool accumulate : {false, true}) {
      const Backward<T> expected = backward_on_cpu(c, in, pre, accumulate);
      const Backward<T> got = backward_on_cuda(c, in, pre, accumulate);
      const Backward<T> again = backward_on_cuda(c, in, pre, accumulate);
      EXPECT_LE(relative_error(got.dx, expected.dx), kTolerance<T>) << text_of(c);
      // bf16: factors are rounded, after derivatives that differ in the last place.
      EXPECT_LE(relative_error(got.dweight, expected.dweight), kTolerance<T>) << text_of(c);
      EXPECT_LE(relative_error(got.dbias, expected.dbias), kTolerance<T>) << text_of(c);
      EXPECT_EQ(got.dx, again.dx) << text_of(c);
      EXPECT_EQ(got.dweight, again.dweight) << text_of(c);
      EXPECT_EQ(got.dbias, again.dbias) << text_of(c);
    }
  }
}

// Both forms over the whole range, where a mistake in one piece of it would drown in norms.
TEST(LinearCuda, ActivationsPointByPoint) {
  std::vector<float> points;
  for (float x = -13; x <= 13; x += 0.03125f) points.push_back(x);
  points.insert(points.end(), {-1e30f, 1e30f, -30.0f, 30.0f, 0.0f});
  const std::vector<float> ones(points.size(), 1.0f);
  for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh}) {
    const Case c{std::ssize(points), 1, 1, activation};
    Inputs<float> in(c);
    in.x = points;
    in.weight = {1.0f};
    in.bias = {0.0f};
    in.dy = ones;
    const Forward<float> expected = forward_on_cpu(c, in), got = forward_on_cuda(c, in, false);
    const Backward<float> slopes = backward_on_cpu(c, in, points, false);
    const Backward<float> got_slopes = backward_on_cuda(c, in, points, false);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const float bound = 5e-7f * std::max(1.0f, std::abs(points[i]));
      EXPECT_NEAR(got.y[i], expected.y[i], bound) << points[i];
      EXPECT_NEAR(got_slopes.dx[i], slopes.dx[i], 2e-6) << points[i];
    }
  }
}

}  // namespace
}  // namespace lodestone
