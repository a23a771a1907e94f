// Against the CPU's, whose own tests check it against f64.
#include <gtest/gtest.h>

#include "kernels/dropout_residual_layer_norm.h"
#include "kernels/row_blocks.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/dropout_masks.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::kRounding, testing::MaskCase, testing::random_elements,
    testing::relative_error, testing::same_bits;

struct Size {
  std::int64_t rows, cols;
};

// Odd sizes, sizes that fill no warp, the model's, the longest rows of each kernel, many rows,
// none.
const std::vector<Size> kSizes = {{1, 2},    {3, 5},    {7, 24},   {5, 264},   {65, 768},
                                  {33, 769}, {3, 1024}, {3, 2048}, {2049, 16}, {0, 768}};
constexpr float kEps = 1e-12f;

template <class T>
struct Inputs {
  Size size;
  MaskCase mask;
  std::vector<T> x = random_elements<T>(size.rows * size.cols, 1);
  std::vector<T> residual = random_elements<T>(size.rows * size.cols, 2);
  std::vector<T> weight = random_elements<T>(size.cols, 3);
  std::vector<T> bias = random_elements<T>(size.cols, 4);
  std::vector<T> dy = random_elements<T>(size.rows * size.cols, 5);
  DeviceArray<T> x_there{x}, residual_there{residual}, weight_there{weight}, bias_there{bias},
      dy_there{dy};

  Inputs(Size of_size, float probability) : size(of_size), mask(of_size.rows, probability) {}
};

template <class T>
struct Forward {
  std::vector<T> sum, y;
  std::vector<float> mean, rstd;
};

template <class T>
Forward<T> forward_on_cpu(const Inputs<T>& in) {
  const auto rows = static_cast<std::size_t>(in.size.rows);
  Forward<T> out{std::vector<T>(in.x.size()), std::vector<T>(in.x.size()), std::vector<float>(rows),
                 std::vector<float>(rows)};
  run(kernels::DropoutResidualLayerNormForwardArgs{in.x.data(), in.residual.data(),
                                                   in.weight.data(), in.bias.data(), out.sum.data(),
                                                   out.y.data(), out.mean.data(), out.rstd.data(),
                                                   in.size.rows, in.size.cols, kEps, in.mask.here(),
                                                   kDTypeOf<T>},
      cpu_stream());
  return out;
}

// sum_is_y: nobody wants the sum.
template <class T>
Forward<T> forward_on_cuda(Inputs<T>& in, bool sum_is_y) {
  DeviceArray<T> sum(std::ssize(in.x), T(NAN)), y(std::ssize(in.x), T(NAN));
  DeviceArray<float> mean(in.size.rows, NAN), rstd(in.size.rows, NAN);
  CudaStream stream(0);
  run(
      kernels::DropoutResidualLayerNormForwardArgs{
          in.x_there.data(), in.residual_there.data(), in.weight_there.data(), in.bias_there.data(),
          sum_is_y ? y.data() : sum.data(), y.data(), mean.data(), rstd.data(), in.size.rows,
          in.size.cols, kEps, in.mask.there(), kDTypeOf<T>},
      stream);
  return {sum.host(), y.host(), mean.host(), rstd.host()};
}

template <class T>
class DropoutResidualLayerNormCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(DropoutResidualLayerNormCuda, Types);

TYPED_TEST(DropoutResidualLayerNormCuda, ForwardIsTheCpus) {
  for (const Size size : kSizes)
    for (const float probability : {0.0f, 0.2f}) {
      Inputs<TypeParam> in(size, probability);
      const auto expected = forward_on_cpu(in);
      const auto got = forward_on_cuda(in, false);
      EXPECT_LE(relative_error(got.sum, expected.sum), kRounding<TypeParam>)
          << size.rows << " x " << size.cols << ", dropped with " << probability;
      EXPECT_LE(relative_error(got.y, expected.y), kRounding<TypeParam>)
          << size.rows << " x " << size.cols << ", dropped with " << probability;
      EXPECT_LE(relative_error(got.mean, expected.mean), 2e-6);
      EXPECT_LE(relative_error(got.rstd, expected.rstd), 2e-5);
      EXPECT_TRUE(same_bits(forward_on_cuda(in, true).y, got.y));
    }
}

template <class T>
struct Backward {
  std::vector<T> dx, dresidual;
  std::vector<float> dweight, dbias;
};

template <class T>
Backward<T> backward_on_cpu(const Inputs<T>& in, const Forward<T>& forward, bool accumulate) {
  const auto cols = static_cast<std::size_t>(in.size.cols);
  Backward<T> out{std::vector<T>(in.x.size(), T(1.0f)), std::vector<T>(in.x.size(), T(1.0f)),
                  std::vector<float>(cols, 1), std::vector<float>(cols, 1)};
  std::vector<float> parts(static_cast<std::size_t>(kernels::row_blocks(in.size.rows)) * 2 * cols);
  run(kernels::DropoutResidualLayerNormBackwardArgs{in.dy.data(),
                                                    forward.sum.data(),
                                                    in.weight.data(),
                                                    forward.mean.data(),
                                                    forward.rstd.data(),
                                                    {out.dx.data(), accumulate},
                                                    {out.dresidual.data(), accumulate},
                                                    {out.dweight.data(), accumulate},
                                                    {out.dbias.data(), accumulate},
                                                    parts.data(),
                                                    in.size.rows,
                                                    in.size.cols,
                                                    in.mask.here(),
                                                    kDTypeOf<T>},
      cpu_stream());
  return out;
}

// What is there before: NaN where it must not be read, ones where it is added to.
// `only_parameters`: nobody wants the others.
template <class T>
Backward<T> backward_on_cuda(Inputs<T>& in, const Forward<T>& forward, bool accumulate,
                             bool only_parameters = false) {
  const float before = accumulate ? 1 : NAN;
  DeviceArray<T> sum(forward.sum), dx(std::ssize(in.x), T(before)),
      dresidual(std::ssize(in.x), T(before));
  DeviceArray<float> mean(forward.mean), rstd(forward.rstd), dweight(in.size.cols, before),
      dbias(in.size.cols, before), parts(kernels::row_blocks(in.size.rows) * 2 * in.size.cols, NAN);
  CudaStream stream(0);
  run(
      kernels::DropoutResidualLayerNormBackwardArgs{
          in.dy_there.data(),
          sum.data(),
          in.weight_there.data(),
          mean.data(),
          rstd.data(),
          {only_parameters ? nullptr : dx.data(), accumulate},
          {only_parameters ? nullptr : dresidual.data(), accumulate},
          {dweight.data(), accumulate},
          {dbias.data(), accumulate},
          parts.data(),
          in.size.rows,
          in.size.cols,
          in.mask.there(),
          kDTypeOf<T>},
      stream);
  return {dx.host(), dresidual.host(), dweight.host(), dbias.host()};
}

TYPED_TEST(DropoutResidualLayerNormCuda, BackwardIsTheCpusAndTheSameTwice) {
  for (const Size size : kSizes)
    for (const bool accumulate : {false, true}) {
      Inputs<TypeParam> in(size, accumulate ? 0.0f : 0.2f);
      const auto forward = forward_on_cpu(in);
      const auto expected = backward_on_cpu(in, forward, accumulate);
      const auto got = backward_on_cuda(in, forward, accumulate);
      const auto again = backward_on_cuda(in, forward, accumulate);
      if (size.cols > 2) {  // of two columns the gradient is rounding errors alone
        EXPECT_LE(relative_error(got.dx, expected.dx), kRounding<TypeParam>)
            << size.rows << " x " << size.cols;
        EXPECT_LE(relative_error(got.dresidual, expected.dresidual), kRounding<TypeParam>)
            << size.rows << " x " << size.cols;
      }
      EXPECT_LE(relative_error(got.dweight, expected.dweight), 2e-6) << size.rows;
      EXPECT_LE(relative_error(got.dbias, expected.dbias), 2e-6) << size.rows;
      EXPECT_TRUE(same_bits(got.dx, again.dx) && same_bits(got.dresidual, again.dresidual));
      EXPECT_TRUE(same_bits(got.dweight, again.dweight) && same_bits(got.dbias, again.dbias));
    }
}

TYPED_TEST(DropoutResidualLayerNormCuda, OnlyParametersWantGradients) {
  Inputs<TypeParam> in({7, 24}, 0.2f);
  const auto forward = forward_on_cpu(in);
  const auto got = backward_on_cuda(in, forward, false, true);
  EXPECT_TRUE(std::isnan(static_cast<float>(got.dx.front())));
  EXPECT_TRUE(same_bits(got.dweight, backward_on_cuda(in, forward, false).dweight));
}

}  // namespace
}  // namespace lodestone
