// The CUDA gather against the CPU's: copies and sums in one order, so the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/gather_rows.h"
#include "tests/gpu/device_array.h"

namespace lodestone {
namespace {

using testing::DeviceArray;

struct Case {
  std::vector<std::int32_t> rows;
  std::int64_t table_rows, columns;
  std::int64_t count() const { return std::ssize(rows); }
};

// Alone, repeated, odd and even numbers of columns, none.
const std::vector<Case> kCases = {
    {{0}, 1, 1}, {{4, 0, 4, 2, 4}, 5, 7}, {{1, 1, 0}, 3, 768}, {{2, 0}, 3, 20}, {{}, 3, 8}};

template <class T>
std::vector<T> sawtooth(std::int64_t count) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(T(static_cast<float>(i % 61) / 8 - 3));
  return values;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  const auto bits_are_same = [](const T& x, const T& y) {
    return std::memcmp(&x, &y, sizeof(T)) == 0;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), bits_are_same);
}

template <class T>
class GatherRowsCuda : public ::testing::Test {};
using Types = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(GatherRowsCuda, Types);

TYPED_TEST(GatherRowsCuda, ForwardIsTheCpus) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    const auto table = sawtooth<T>(c.table_rows * c.columns);
    std::vector<T> expected(static_cast<std::size_t>(c.count() * c.columns));
    run(kernels::GatherRowsForwardArgs{table.data(), c.rows.data(), expected.data(), c.count(),
                                       c.columns, kDTypeOf<T>},
        cpu_stream());
    CudaStream stream(0);
    DeviceArray<T> table_there(table), y(c.count() * c.columns, T(NAN));
    DeviceArray<std::int32_t> rows(c.rows);
    run(kernels::GatherRowsForwardArgs{table_there.data(), rows.data(), y.data(), c.count(),
                                       c.columns, kDTypeOf<T>},
        stream);
    EXPECT_TRUE(same_bits(y.host(), expected)) << c.count() << " rows of " << c.columns;
  }
}

// The gradient's type G is T or float; row 4 has none.
template <class T, class G>
void check_backward(const Case& c, bool accumulate) {
  const auto dy = sawtooth<T>(c.count() * c.columns);
  const std::int64_t elements = c.table_rows * c.columns;
  std::vector<G> expected(static_cast<std::size_t>(elements), G(1.0f));
  run(kernels::GatherRowsBackwardArgs{dy.data(),
                                      c.rows.data(),
                                      {expected.data(), accumulate},
                                      c.count(),
                                      c.columns,
                                      c.table_rows,
                                      4,
                                      kDTypeOf<T>,
                                      kDTypeOf<G>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> dy_there(dy);
  DeviceArray<G> dtable(elements, accumulate ? G(1.0f) : G(NAN));
  DeviceArray<std::int32_t> rows(c.rows);
  run(kernels::GatherRowsBackwardArgs{dy_there.data(),
                                      rows.data(),
                                      {dtable.data(), accumulate},
                                      c.count(),
                                      c.columns,
                                      c.table_rows,
                                      4,
                                      kDTypeOf<T>,
                                      kDTypeOf<G>},
      stream);
  EXPECT_TRUE(same_bits(dtable.host(), expected)) << c.count() << " rows of " << c.columns;
}

TYPED_TEST(GatherRowsCuda, BackwardIsTheCpus) {
  for (const Case& c : kCases)
    for (const bool accumulate : {false, true}) {
      check_backward<TypeParam, TypeParam>(c, accumulate);
      check_backward<TypeParam, float>(c, accumulate);
    }
}

}  // namespace
}  // namespace lodestone
