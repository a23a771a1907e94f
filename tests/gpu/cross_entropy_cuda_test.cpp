// Against the CPU's, whose own tests check it against f64.
#include <gtest/gtest.h>

#include "kernels/cross_entropy.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::relative_error, testing::same_bits;

struct Size {
  std::int64_t rows, columns;
};

// Two columns, rows that begin anywhere, fewer columns than threads, tails, the vocabulary, none.
const std::vector<Size> kSizes = {{1, 2},    {3, 7},      {5, 64},    {4, 2049},
                                  {3, 8192}, {2, 50'558}, {1100, 16}, {0, 8}};

// Logits from -36 to 44; every fourth row is ignored; labels are first and last columns too.
template <class T>
struct Inputs {
  Size size;
  std::vector<T> logits;
  std::vector<std::int32_t> labels;

  explicit Inputs(Size of_size) : size(of_size) {
    for (const float value : testing::random_elements<float>(size.rows * size.columns, 1))
      logits.push_back(T(8 * value));
    for (std::int64_t m = 0; m < size.rows; ++m)
      labels.push_back(m % 4 == 3 ? kernels::kIgnoredLabel
                                  : static_cast<std::int32_t>(m % 4 == 0   ? size.columns - 1
                                                              : m % 4 == 1 ? 0
                                                                           : size.columns / 2));
  }
};

struct Losses {
  std::vector<float> maxima, log_sums, row_losses, loss;
};

// What the forward does not write for ignored rows is 0.
template <class T>
Losses forward_on_cpu(const Inputs<T>& in) {
  const std::vector<float> rows(static_cast<std::size_t>(in.size.rows));
  Losses out{rows, rows, rows, {NAN}};
  run(kernels::CrossEntropyForwardArgs{in.logits.data(), in.labels.data(), out.maxima.data(),
                                       out.log_sums.data(), out.row_losses.data(), out.loss.data(),
                                       in.size.rows, in.size.columns, kDTypeOf<T>},
      cpu_stream());
  return out;
}

template <class T>
Losses forward_on_cuda(const Inputs<T>& in) {
  DeviceArray<T> logits(in.logits);
  DeviceArray<std::int32_t> labels(in.labels);
  DeviceArray<float> maxima(in.size.rows, 0), log_sums(in.size.rows, 0),
      row_losses(in.size.rows, NAN), loss(1, NAN);
  CudaStream stream(0);
  run(kernels::CrossEntropyForwardArgs{logits.data(), labels.data(), maxima.data(), log_sums.data(),
                                       row_losses.data(), loss.data(), in.size.rows,
                                       in.size.columns, kDTypeOf<T>},
      stream);
  return {maxima.host(), log_sums.host(), row_losses.host(), loss.host()};
}

template <class T>
class CrossEntropyCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(CrossEntropyCuda, Types);

TYPED_TEST(CrossEntropyCuda, ForwardIsTheCpusAndTheSameTwice) {
  for (const Size size : kSizes) {
    const Inputs<TypeParam> in(size);
    const Losses expected = forward_on_cpu(in), got = forward_on_cuda(in);
    EXPECT_TRUE(same_bits(got.maxima, expected.maxima)) << size.rows << " x " << size.columns;
    // An error here is the relative error of every probability.
    for (std::size_t m = 0; m < got.log_sums.size(); ++m)
      EXPECT_NEAR(got.log_sums[m], expected.log_sums[m], 1e-6)
          << size.rows << " x " << size.columns << ", row " << m;
    EXPECT_LE(relative_error(got.row_losses, expected.row_losses), 1e-6);
    EXPECT_LE(relative_error(got.loss, expected.loss), 1e-6);
    const Losses again = forward_on_cuda(in);
    EXPECT_TRUE(same_bits(got.row_losses, again.row_losses) && same_bits(got.loss, again.loss));
  }
}

enum class Place { kOwn, kOwnMisplaced, kLogits };

// The gradient as an array of its own (aligned as the logits or not), or in place of the logits.
template <class T>
std::vector<T> backward_on_cuda(const Inputs<T>& in, const Losses& forward, bool accumulate,
                                Place place) {
  DeviceArray<T> logits(in.logits), own(std::ssize(in.logits) + 1, accumulate ? T(1.0f) : T(NAN));
  DeviceArray<std::int32_t> labels(in.labels);
  DeviceArray<float> dloss(1, 0.75f), maxima(forward.maxima), log_sums(forward.log_sums);
  T* to = place == Place::kLogits ? logits.data() : own.data() + (place == Place::kOwn ? 0 : 1);
  CudaStream stream(0);
  run(kernels::CrossEntropyBackwardArgs{dloss.data(),
                                        logits.data(),
                                        labels.data(),
                                        maxima.data(),
                                        log_sums.data(),
                                        {to, accumulate},
                                        in.size.rows,
                                        in.size.columns,
                                        kDTypeOf<T>},
      stream);
  if (place == Place::kLogits) return logits.host();
  auto gradient = own.host();
  gradient.erase(place == Place::kOwn ? gradient.end() - 1 : gradient.begin());
  return gradient;
}

template <class T>
std::vector<T> backward_on_cpu(const Inputs<T>& in, const Losses& forward, bool accumulate) {
  const float dloss = 0.75f;
  std::vector<T> gradient(in.logits.size(), T(1.0f));
  run(kernels::CrossEntropyBackwardArgs{&dloss,
                                        in.logits.data(),
                                        in.labels.data(),
                                        forward.maxima.data(),
                                        forward.log_sums.data(),
                                        {gradient.data(), accumulate},
                                        in.size.rows,
                                        in.size.columns,
                                        kDTypeOf<T>},
      cpu_stream());
  return gradient;
}

TYPED_TEST(CrossEntropyCuda, BackwardIsTheCpusWhereverItIsWritten) {
  for (const Size size : kSizes) {
    const Inputs<TypeParam> in(size);
    const Losses forward = forward_on_cpu(in);
    const auto expected = backward_on_cpu(in, forward, false);
    const auto got = backward_on_cuda(in, forward, false, Place::kOwn);
    EXPECT_LE(relative_error(got, expected), testing::kRounding<TypeParam>)
        << size.rows << " x " << size.columns;
    EXPECT_TRUE(same_bits(got, backward_on_cuda(in, forward, false, Place::kLogits)));
    EXPECT_TRUE(same_bits(got, backward_on_cuda(in, forward, false, Place::kOwnMisplaced)));
    EXPECT_LE(relative_error(backward_on_cuda(in, forward, true, Place::kOwn),
                             backward_on_cpu(in, forward, true)),
              testing::kRounding<TypeParam>)
        << size.rows << " x " << size.columns;
  }
}

TYPED_TEST(CrossEntropyCuda, OneColumnIsCertain) {
  const Inputs<TypeParam> in({2, 1});
  const Losses got = forward_on_cuda(in);
  EXPECT_NEAR(got.loss.front(), 0, 1e-6);
  for (const TypeParam gradient : backward_on_cuda(in, got, false, Place::kOwn))
    EXPECT_NEAR(static_cast<float>(gradient), 0, 1e-6);
}

TEST(CrossEntropyCudaRows, LogitsOfMinusInfinity) {
  Inputs<float> in({1, 5000});
  for (std::size_t v = 0; v < 4000; ++v) in.logits[v] = -INFINITY;
  in.labels = {4500};
  const std::vector<float> rest(in.logits.begin() + 4000, in.logits.end());
  Inputs<float> short_row({1, 1000});
  short_row.logits = rest;
  short_row.labels = {500};
  EXPECT_NEAR(forward_on_cuda(in).loss.front(), forward_on_cpu(short_row).loss.front(), 1e-5);
}

}  // namespace
}  // namespace lodestone
