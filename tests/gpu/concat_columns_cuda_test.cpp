#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "kernels/concat_columns.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone {
namespace {

using testing::DeviceArray, testing::random_elements, testing::relative_error;

struct Case {
  std::int64_t rows;
  std::vector<std::int64_t> columns;
  std::int64_t width() const {
    return std::accumulate(columns.begin(), columns.end(), std::int64_t{0});
  }
};

// One part and eight, odd ones, one of no columns, the model's, more rows than a block has, none.
const std::vector<Case> kCases = {{1, {1}},
                                  {3, {5, 1, 8}},
                                  {2, {8, 16, 8, 8, 24, 8, 8, 8}},
                                  {7, {0, 3}},
                                  {5, {768, 768, 768, 768, 768}},
                                  {2049, {8, 16}},
                                  {0, {8}}};
constexpr float kScales[] = {0.5f, -1.25f, 3, 0.1f, 1, 2, -2, 0.7f};

template <class T>
class ConcatColumnsCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(ConcatColumnsCuda, Types);

// Arrays of the parts, on the device and on the host.
template <class T>
struct Parts {
  std::vector<std::vector<T>> here;
  std::vector<std::unique_ptr<DeviceArray<T>>> there;
  void add(std::vector<T> values) {
    there.push_back(std::make_unique<DeviceArray<T>>(values));
    here.push_back(std::move(values));
  }
};

template <class Args>
void describe(const Case& c, Args& args) {
  std::copy(c.columns.begin(), c.columns.end(), args.columns);
  std::copy(std::begin(kScales), std::end(kScales), args.scales);
  args.count = static_cast<int>(c.columns.size());
  args.rows = c.rows;
}

TYPED_TEST(ConcatColumnsCuda, ForwardIsTheCpus) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    Parts<T> parts;
    std::vector<T> expected(static_cast<std::size_t>(c.rows * c.width()));
    DeviceArray<T> y(c.rows * c.width(), T(NAN));
    kernels::ConcatColumnsForwardArgs here{}, there{};
    describe(c, here);
    describe(c, there);
    for (std::size_t k = 0; k < c.columns.size(); ++k) {
      parts.add(random_elements<T>(c.rows * c.columns[k], static_cast<unsigned>(k)));
      here.parts[k] = parts.here[k].data();
      there.parts[k] = parts.there[k]->data();
    }
    here.y = expected.data();
    there.y = y.data();
    here.dtype = there.dtype = kDTypeOf<T>;
    run(here, cpu_stream());
    CudaStream stream(0);
    run(there, stream);
    EXPECT_TRUE(testing::same_bits(y.host(), expected)) << c.rows << " rows of " << c.width();
  }
}

// Nobody wants part 1's gradient; even parts are added to, as `accumulate_even` says.
template <class T>
void check_backward(const Case& c, bool accumulate_even) {
  const auto dy = random_elements<T>(c.rows * c.width(), 1);
  DeviceArray<T> dy_there(dy);
  Parts<T> parts;
  kernels::ConcatColumnsBackwardArgs here{}, there{};
  describe(c, here);
  describe(c, there);
  here.dy = dy.data();
  there.dy = dy_there.data();
  here.dtype = there.dtype = kDTypeOf<T>;
  for (std::size_t k = 0; k < c.columns.size(); ++k) {
    const bool accumulate = accumulate_even && k % 2 == 0;
    parts.add(std::vector<T>(static_cast<std::size_t>(c.rows * c.columns[k]),
                             T(accumulate || k == 1 ? 1.0f : NAN)));
    if (k == 1) continue;
    here.dparts[k] = {parts.here[k].data(), accumulate};
    there.dparts[k] = {parts.there[k]->data(), accumulate};
  }
  run(here, cpu_stream());
  CudaStream stream(0);
  run(there, stream);
  for (std::size_t k = 0; k < c.columns.size(); ++k)
    EXPECT_LE(relative_error(parts.there[k]->host(), parts.here[k]), testing::kRounding<T>)
        << c.rows << " rows of " << c.width() << ", part " << k;
}

TYPED_TEST(ConcatColumnsCuda, BackwardIsTheCpus) {
  for (const Case& c : kCases) {
    check_backward<TypeParam>(c, false);
    check_backward<TypeParam>(c, true);
  }
}

}  // namespace
}  // namespace lodestone
