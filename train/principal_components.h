#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace lodestone {

struct PrincipalComponents {
  std::int64_t components = 0;
  std::vector<float> scores;               // [rows, components]: the centred rows, projected
  std::vector<float> loadings;             // [components, columns], orthonormal
  std::vector<double> mean;                // [columns]
  std::vector<double> explained_variance;  // [components], descending, divisor rows - 1
  double total_variance = 0;               // of all columns
};

// The leading principal components of row-major [rows, columns] values. Exact (an eigenvalue
// decomposition in f64) when the smaller side is at most 512; else the randomised range finder of
// Halko, Martinsson and Tropp, "Finding structure with randomness" (SIAM Review 2011), algorithm
// 4.4 with 10 columns more than asked for and 6 power iterations, from a fixed seed. The sign makes
// each component's largest loading (in magnitude, the first of equals) positive. Components beyond
// the rank have variance 0. Throws kInvalidArgument unless there are at least 2 rows and 1 to
// min(rows, columns) components, kNumeric for a value that is not finite.
PrincipalComponents principal_components(std::span<const float> values, std::int64_t columns,
                                         std::int64_t components);

}  // namespace lodestone
