#pragma once
// Arrays for the tests of CUDA kernels: random elements, and how two arrays compare.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

namespace lodestone::testing {

template <class T>
std::vector<T> random_elements(std::int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.5f, 1.0f);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = T(normal(engine));
  return values;
}

// The length of the difference over the length of what is expected; infinite where one has a NaN.
template <class T>
double relative_error(const std::vector<T>& got, const std::vector<T>& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, whole = 1e-30;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = static_cast<float>(expected[i]);
    difference += std::pow(static_cast<double>(static_cast<float>(got[i])) - e, 2);
    whole += e * e;
  }
  const double error = std::sqrt(difference / whole);
  return std::isnan(error) ? INFINITY : error;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) {
    return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y);
  });
}

// What a relative error may be where results are rounded to T, and sums taken in another order.
template <class T>
inline constexpr double kRounding = sizeof(T) == 4 ? 2e-6 : 4e-3;

}  // namespace lodestone::testing
