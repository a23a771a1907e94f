#include "kernels/cpu/tile_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/philox.h"

namespace lodestone::kernels {
namespace {

template <class Real>
std::vector<Real> numbers(std::int64_t count, std::uint64_t key) {
  std::vector<Real> out;
  for (std::int64_t i = 0; i < count; ++i)
    out.push_back(
        static_cast<Real>(uniform(RandomKey{key}.at(static_cast<std::uint64_t>(i), 0)[0]) - 0.5));
  return out;
}

// Against the definition, for every remainder of rows, plain and transposed a, with and without
// adding to c; what lies beyond the rows of c must stay.
template <class Real>
void check_products(double tolerance) {
  const std::int64_t columns = 2 * kTileColumns<Real>, inner = 13, spare = 3;
  const auto b = numbers<Real>(inner * columns, 2);
  for (std::int64_t rows = 0; rows <= 2 * kTileRows + 1; ++rows)
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true}) {
        const auto a = numbers<Real>(rows * inner, 1);
        const LeftTile<Real> left =
            transposed ? LeftTile<Real>{a.data(), 1, rows} : LeftTile<Real>{a.data(), inner, 1};
        const auto before = numbers<Real>((rows + spare) * columns, 3);
        auto c = before;
        if (!accumulate) std::fill_n(c.begin(), rows * columns, static_cast<Real>(NAN));
        tile_product<Real>(left, {b.data(), columns}, {c.data(), columns}, rows, columns, inner,
                           accumulate);
        for (std::int64_t i = 0; i < (rows + spare) * columns; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const std::int64_t r = i / columns, column = i % columns;
          double expected = accumulate || r >= rows ? static_cast<double>(before[at]) : 0;
          for (std::int64_t k = 0; r < rows && k < inner; ++k)
            expected +=
                static_cast<double>(left.data[r * left.row_stride + k * left.inner_stride]) *
                static_cast<double>(b[static_cast<std::size_t>(k * columns + column)]);
          ASSERT_NEAR(static_cast<double>(c[at]), expected, tolerance)
              << rows << " rows, row " << r << ", column " << column;
        }
      }
}

TEST(TileProduct, FollowsItsDefinitionInF32) {
  check_products<float>(1e-6);
}
TEST(TileProduct, FollowsItsDefinitionInF64) {
  check_products<double>(1e-14);
}

}  // namespace
}  // namespace lodestone::kernels
