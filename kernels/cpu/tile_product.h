#pragma once
// The matrix product of small tiles that the attention kernels are made of:
// c[rows, columns] (+)= a[rows, inner] b[inner, columns], b and c row-major.
//
// A block of 6 rows by two vectors stays in registers over the whole inner extent (12 sums, two
// vectors of b and one broadcast: 15 of AVX2's 16 registers). Columns come in multiples of
// kTileColumns, so callers pad; rows and inner are free. A row's result depends on its inputs
// alone, not on its place in a block.
#include <algorithm>
#include <cstdint>
#include <experimental/simd>

namespace lodestone::kernels {

template <class Real>
using Vector = std::experimental::native_simd<Real>;

// The columns of one register block.
template <class Real>
inline constexpr std::int64_t kTileColumns = 2 * static_cast<std::int64_t>(Vector<Real>::size());
inline constexpr int kTileRows = 6;

// Element (r, i) is data[r * row_stride + i * inner_stride]: a matrix or its transpose.
template <class Real>
struct LeftTile {
  const Real* data;
  std::int64_t row_stride, inner_stride;
};
template <class Real>
struct RightTile {
  const Real* data;
  std::int64_t row_stride;
};
template <class Real>
struct SumTile {
  Real* data;
  std::int64_t row_stride;
};

template <int kRows, class Real>
void block_product(LeftTile<Real> a, RightTile<Real> b, SumTile<Real> c, std::int64_t inner,
                   bool accumulate) {
  namespace simd = std::experimental;
  constexpr auto kWidth = static_cast<std::int64_t>(Vector<Real>::size());
  Vector<Real> left[kRows], right[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const Real* from = c.data + r * c.row_stride;
    left[r] = accumulate ? Vector<Real>(from, simd::element_aligned) : Vector<Real>(0);
    right[r] = accumulate ? Vector<Real>(from + kWidth, simd::element_aligned) : Vector<Real>(0);
  }
  for (std::int64_t i = 0; i < inner; ++i) {
    const Vector<Real> b_left(b.data + i * b.row_stride, simd::element_aligned);
    const Vector<Real> b_right(b.data + i * b.row_stride + kWidth, simd::element_aligned);
    const Real* column = a.data + i * a.inner_stride;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vector<Real> factor(column[r * a.row_stride]);
      left[r] += factor * b_left;
      right[r] += factor * b_right;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    left[r].copy_to(c.data + r * c.row_stride, simd::element_aligned);
    right[r].copy_to(c.data + r * c.row_stride + kWidth, simd::element_aligned);
  }
}

// The product of `rows` <= kRows rows.
template <int kRows, class Real>
void few_rows_product(std::int64_t rows, LeftTile<Real> a, RightTile<Real> b, SumTile<Real> c,
                      std::int64_t inner, bool accumulate) {
  if (rows == kRows) return block_product<kRows>(a, b, c, inner, accumulate);
  if constexpr (kRows > 1) few_rows_product<kRows - 1>(rows, a, b, c, inner, accumulate);
}

// `accumulate`: adds to c; otherwise c is never read.
template <class Real>
void tile_product(LeftTile<Real> a, RightTile<Real> b, SumTile<Real> c, std::int64_t rows,
                  std::int64_t columns, std::int64_t inner, bool accumulate) {
  for (std::int64_t column = 0; column < columns; column += kTileColumns<Real>)
    for (std::int64_t row = 0; row < rows; row += kTileRows)
      few_rows_product<kTileRows>(
          std::min<std::int64_t>(kTileRows, rows - row),
          LeftTile<Real>{a.data + row * a.row_stride, a.row_stride, a.inner_stride},
          RightTile<Real>{b.data + column, b.row_stride},
          SumTile<Real>{c.data + row * c.row_stride + column, c.row_stride}, inner, accumulate);
}

}  // namespace lodestone::kernels
