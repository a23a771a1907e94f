#include "train/principal_components.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/core/check.h"
#include "engine/core/philox.h"

namespace lodestone {
namespace {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::int64_t kExactUpTo = 512;
constexpr std::int64_t kOversampling = 10;
constexpr int kPowerIterations = 6;
constexpr std::uint64_t kSeed = 20110531;

// Columns: orthonormal directions in the space of columns, by descending variance.
using Directions = Eigen::MatrixXd;

// The eigenvectors of a symmetric matrix with the largest eigenvalues, descending.
Eigen::MatrixXd leading_eigenvectors(const Eigen::MatrixXd& symmetric, std::int64_t count) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  if (solver.info() != Eigen::Success)
    fail(ErrorKind::kNumeric, "principal components: the eigenvalue iteration does not converge");
  return solver.eigenvectors().rowwise().reverse().leftCols(count);
}

// x^T x for tall x, in f64 by blocks of rows, so that no f64 copy of x is needed.
Eigen::MatrixXd gram_of_columns(const RowMatrix& x) {
  constexpr Eigen::Index kBlock = 1024;
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(x.cols(), x.cols());
  for (Eigen::Index begin = 0; begin < x.rows(); begin += kBlock) {
    const Eigen::MatrixXd block =
        x.middleRows(begin, std::min(kBlock, x.rows() - begin)).cast<double>();
    gram.noalias() += block.transpose() * block;
  }
  return gram;
}

// An orthonormal basis of the columns; columns that depend on earlier ones are completed to one.
template <class Matrix>
Matrix orthonormal(const Matrix& columns) {
  const Eigen::HouseholderQR<Matrix> qr(columns);
  return qr.householderQ() * Matrix::Identity(columns.rows(), columns.cols());
}

Directions exact_directions(const RowMatrix& x, std::int64_t count) {
  if (x.cols() <= x.rows()) return leading_eigenvectors(gram_of_columns(x), count);
  const Eigen::MatrixXd wide = x.cast<double>();
  const Eigen::MatrixXd left = leading_eigenvectors(wide * wide.transpose(), count);
  return orthonormal<Eigen::MatrixXd>(wide.transpose() * left);
}

Eigen::MatrixXf random_matrix(Eigen::Index rows, Eigen::Index columns) {
  const RandomKey key = RandomKey::derive(kSeed, 0, 0);
  Eigen::MatrixXf result(rows, columns);
  for (Eigen::Index row = 0; row < rows; ++row)
    for (Eigen::Index column = 0; column < columns; ++column) {
      const PhiloxBlock words =
          key.at(static_cast<std::uint64_t>(row), static_cast<std::uint32_t>(column));
      const double radius = std::sqrt(-2 * std::log(1 - uniform(words[0], words[1])));
      const double angle = 2 * std::numbers::pi * uniform(words[2]);
      result(row, column) = static_cast<float>(radius * std::cos(angle));
    }
  return result;
}

Directions randomised_directions(const RowMatrix& x, std::int64_t count) {
  const Eigen::Index width =
      std::min<Eigen::Index>(count + kOversampling, std::min(x.rows(), x.cols()));
  Eigen::MatrixXf basis = orthonormal<Eigen::MatrixXf>(x * random_matrix(x.cols(), width));
  for (int iteration = 0; iteration < kPowerIterations; ++iteration) {
    const Eigen::MatrixXf across = orthonormal<Eigen::MatrixXf>(x.transpose() * basis);
    basis = orthonormal<Eigen::MatrixXf>(x * across);
  }
  const Eigen::MatrixXd small = (basis.transpose() * x).cast<double>();  // [width, columns]
  const Eigen::MatrixXd left = leading_eigenvectors(small * small.transpose(), count);
  return orthonormal<Eigen::MatrixXd>(small.transpose() * left);
}

void fix_signs(Directions& directions) {
  for (Eigen::Index k = 0; k < directions.cols(); ++k) {
    Eigen::Index largest = 0;
    directions.col(k).cwiseAbs().maxCoeff(&largest);
    if (directions(largest, k) < 0) directions.col(k) *= -1;
  }
}

RowMatrix centred(std::span<const float> values, std::int64_t columns,
                  PrincipalComponents& result) {
  const auto rows = static_cast<Eigen::Index>(values.size()) / columns;
  const Eigen::Map<const RowMatrix> x(values.data(), rows, columns);
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(columns);
  for (Eigen::Index row = 0; row < rows; ++row) mean += x.row(row).transpose().cast<double>();
  mean /= static_cast<double>(rows);
  result.mean.assign(mean.begin(), mean.end());
  RowMatrix difference(rows, columns);
  double squares = 0;
  for (Eigen::Index row = 0; row < rows; ++row) {
    difference.row(row) = (x.row(row).cast<double>() - mean.transpose()).template cast<float>();
    squares += difference.row(row).cast<double>().squaredNorm();
  }
  result.total_variance = squares / static_cast<double>(rows - 1);
  return difference;
}

void check_values(std::span<const float> values, std::int64_t columns, std::int64_t components) {
  const auto size = static_cast<std::int64_t>(values.size());
  check(columns >= 1 && size % columns == 0,
        "principal components: {} values are no whole rows of {}", size, columns);
  const std::int64_t rows = size / columns;
  check(rows >= 2, "principal components: at least 2 rows are needed, there are {}", rows);
  check(components >= 1 && components <= std::min(rows, columns),
        "principal components: {} rows of {} columns have 1 to {} components, {} were asked for",
        rows, columns, std::min(rows, columns), components);
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end())
    fail(ErrorKind::kNumeric, "principal components: the value in row {}, column {} is not finite",
         (bad - values.begin()) / columns, (bad - values.begin()) % columns);
}

}  // namespace

PrincipalComponents principal_components(std::span<const float> values, std::int64_t columns,
                                         std::int64_t components) {
  check_values(values, columns, components);
  PrincipalComponents result;
  result.components = components;
  const RowMatrix x = centred(values, columns, result);
  Directions directions = std::min(x.rows(), x.cols()) <= kExactUpTo
                              ? exact_directions(x, components)
                              : randomised_directions(x, components);
  fix_signs(directions);
  const RowMatrix scores = x * directions.cast<float>();
  result.scores.assign(scores.data(), scores.data() + scores.size());
  const Eigen::MatrixXf loadings = directions.cast<float>();  // by column: a component at a time
  result.loadings.assign(loadings.data(), loadings.data() + loadings.size());
  for (Eigen::Index k = 0; k < components; ++k)
    result.explained_variance.push_back(scores.col(k).cast<double>().squaredNorm() /
                                        static_cast<double>(x.rows() - 1));
  return result;
}

}  // namespace lodestone
