// The CUDA layer norm against the CPU's, whose own tests check it against f64.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/layer_norm.h"
#include "kernels/row_blocks.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::kRounding, testing::random_elements, testing::relative_error;

struct Size {
  std::int64_t rows, cols;
};

// One element, odd sizes, sizes that fill no warp, the model's, the longest rows of each kernel.
const std::vector<Size> kSizes = {{1, 1},    {3, 5},    {2, 127},  {7, 24},   {5, 264},
                                  {65, 768}, {33, 769}, {3, 1024}, {3, 2048}, {0, 768}};

template <class T>
struct Forward {
  std::vector<T> y;
  std::vector<float> mean, rstd;
};

template <class T>
class LayerNormCuda : public ::testing::Test {
 protected:
  static Forward<T> on_cpu(Size size, std::vector<T> x, std::vector<T> weight,
                           std::vector<T> bias) {
    Forward<T> result{std::vector<T>(x.size()),
                      std::vector<float>(static_cast<std::size_t>(size.rows)),
                      std::vector<float>(static_cast<std::size_t>(size.rows))};
    run(args(size, x.data(), weight.data(), bias.data(), result.y.data(), result.mean.data(),
             result.rstd.data()),
        cpu_stream());
    return result;
  }
  static Forward<T> on_cuda(Size size, const std::vector<T>& x, const std::vector<T>& weight,
                            const std::vector<T>& bias) {
    CudaStream stream(0);
    DeviceArray<T> dx(x), dweight(weight), dbias(bias), y(std::ssize(x), T(NAN));
    DeviceArray<float> mean(size.rows, NAN), rstd(size.rows, NAN);
    run(args(size, dx.data(), dweight.data(), dbias.data(), y.data(), mean.data(), rstd.data()),
        stream);
    return {y.host(), mean.host(), rstd.host()};
  }
  static kernels::LayerNormForwardArgs args(Size size, const T* x, const T* weight, const T* bias,
                                            T* y, float* mean, float* rstd) {
    return {x, weight, bias, y, mean, rstd, size.rows, size.cols, 1e-12f, kDTypeOf<T>};
  }
};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(LayerNormCuda, Types);

TYPED_TEST(LayerNormCuda, ForwardIsTheCpus) {
  for (const Size size : kSizes) {
    const auto x = random_elements<TypeParam>(size.rows * size.cols, 1);
    const auto weight = random_elements<TypeParam>(size.cols, 2);
    const auto bias = random_elements<TypeParam>(size.cols, 3);
    const auto expected = this->on_cpu(size, x, weight, bias);
    const auto got = this->on_cuda(size, x, weight, bias);
    EXPECT_LE(relative_error(got.y, expected.y), kRounding<TypeParam>)
        << size.rows << " x " << size.cols;
    EXPECT_LE(relative_error(got.mean, expected.mean), 2e-6);
    if (size.cols == 1) continue;  // 1 / sqrt(0 + eps): of no use as a relative measure
    EXPECT_LE(relative_error(got.rstd, expected.rstd), 2e-6);
  }
}

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dweight, dbias;
};

// What is there before: NaN where it must not be read, ones where it is added to.
template <class T>
Backward<T> backward_on_cuda(Size size, const std::vector<T>& dy, const std::vector<T>& x,
                             const std::vector<T>& weight, const Forward<T>& forward,
                             bool accumulate) {
  CudaStream stream(0);
  const float before = accumulate ? 1 : NAN;
  DeviceArray<T> dy_there(dy), x_there(x), weight_there(weight), dx(std::ssize(x), T(before));
  DeviceArray<float> mean(forward.mean), rstd(forward.rstd), dweight(size.cols, before),
      dbias(size.cols, before), parts(kernels::row_blocks(size.rows) * 2 * size.cols, NAN);
  run(kernels::LayerNormBackwardArgs{dy_there.data(),
                                     x_there.data(),
                                     weight_there.data(),
                                     mean.data(),
                                     rstd.data(),
                                     {dx.data(), accumulate},
                                     {dweight.data(), accumulate},
                                     {dbias.data(), accumulate},
                                     parts.data(),
                                     size.rows,
                                     size.cols,
                                     kDTypeOf<T>},
      stream);
  return {dx.host(), dweight.host(), dbias.host()};
}

template <class T>
Backward<T> backward_on_cpu(Size size, const std::vector<T>& dy, const std::vector<T>& x,
                            const std::vector<T>& weight, const Forward<T>& forward,
                            bool accumulate) {
  const auto cols = static_cast<std::size_t>(size.cols);
  Backward<T> result{std::vector<T>(x.size(), T(1)), std::vector<float>(cols, 1),
                     std::vector<float>(cols, 1)};
  std::vector<float> parts(static_cast<std::size_t>(kernels::row_blocks(size.rows)) * 2 * cols);
  run(kernels::LayerNormBackwardArgs{dy.data(),
                                     x.data(),
                                     weight.data(),
                                     forward.mean.data(),
                                     forward.rstd.data(),
                                     {result.dx.data(), accumulate},
                                     {result.dweight.data(), accumulate},
                                     {result.dbias.data(), accumulate},
                                     parts.data(),
                                     size.rows,
                                     size.cols,
                                     kDTypeOf<T>},
      cpu_stream());
  return result;
}

TYPED_TEST(LayerNormCuda, BackwardIsTheCpusAndTheSameTwice) {
  for (const Size size : kSizes) {
    if (size.cols == 1) continue;  // its gradient is 0 divided by sqrt(eps)
    const auto x = random_elements<TypeParam>(size.rows * size.cols, 1);
    const auto dy = random_elements<TypeParam>(size.rows * size.cols, 4);
    const auto weight = random_elements<TypeParam>(size.cols, 2);
    const auto forward = this->on_cpu(size, x, weight, weight);
    for (const bool accumulate : {false, true}) {
      const auto expected = backward_on_cpu(size, dy, x, weight, forward, accumulate);
      const auto got = backward_on_cuda(size, dy, x, weight, forward, accumulate);
      const auto again = backward_on_cuda(size, dy, x, weight, forward, accumulate);
      EXPECT_LE(relative_error(got.dx, expected.dx), kRounding<TypeParam>)
          << size.rows << " x " << size.cols;
      EXPECT_LE(relative_error(got.dweight, expected.dweight), 2e-6);
      EXPECT_LE(relative_error(got.dbias, expected.dbias), 2e-6);
      EXPECT_EQ(got.dweight, again.dweight);
      EXPECT_EQ(got.dbias, again.dbias);
    }
  }
}

TYPED_TEST(LayerNormCuda, RefusesRowsThatDoNotFit) {
  const Size size{1, 2052};
  const auto x = random_elements<TypeParam>(size.cols, 1);
  EXPECT_THROW(this->on_cuda(size, x, x, x), Error);
}

}  // namespace
}  // namespace lodestone
