#pragma once
// Inputs of the tensor kernels and what they must give, computed in f64.
#include <cmath>
#include <random>
#include <vector>

#include "engine/core/bfloat16.h"
#include "tests/gpu/device_array.h"
#include "tests/gpu/kernels/tile_kernels.h"
#include "tests/gpu/kernels/warpgroup_kernels.h"
#include "tests/gpu/tensor_maps.h"

namespace lodestone::testing {

inline double value_of(std::uint16_t bits) {
  BFloat16 value;
  value.bits = bits;
  return value;
}

inline std::vector<float> normal_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline std::vector<std::uint16_t> normal_bf16(std::size_t count, unsigned seed) {
  std::vector<std::uint16_t> bits;
  for (const float value : normal_floats(count, seed)) bits.push_back(BFloat16(value).bits);
  return bits;
}

// a[m, k] * b[n, k]^T
inline std::vector<double> product_of(const std::vector<std::uint16_t>& a,
                                      const std::vector<std::uint16_t>& b, std::size_t m,
                                      std::size_t n, std::size_t k) {
  std::vector<double> c(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t l = 0; l < k; ++l)
        c[i * n + j] += value_of(a[i * k + l]) * value_of(b[j * k + l]);
  return c;
}

// The largest distance; infinite where something is not a number.
template <class T>
double largest_difference(const std::vector<T>& found, const std::vector<double>& expected) {
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double distance = std::abs(static_cast<double>(found[i]) - expected[i]);
    largest = std::isnan(distance) ? INFINITY : std::max(largest, distance);
  }
  return largest;
}

inline std::size_t area(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

struct AttentionCase {
  int heads = 1;
  int length = 64;

  std::size_t count() const { return area(heads, length) * 64; }
  std::vector<std::uint16_t> queries = normal_bf16(count(), 1);
  std::vector<std::uint16_t> keys = normal_bf16(count(), 2);
  std::vector<std::uint16_t> values = normal_bf16(count(), 3);
  DeviceArray<std::uint16_t> device_queries{queries}, device_keys{keys}, device_values{values};
  DeviceArray<std::uint16_t> output{static_cast<std::int64_t>(count()), std::uint16_t{0xffff}};

  AttentionCase(int of_heads, int of_length) : heads(of_heads), length(of_length) {}

  cudaError_t run(gpu_tests::TileBug bug) {
    return gpu_tests::attention(bug, {.queries = device_queries.data(),
                                      .keys = device_keys.data(),
                                      .values = device_values.data(),
                                      .output = output.data(),
                                      .heads = heads,
                                      .length = length,
                                      .scale = 0.125f});
  }
  std::vector<double> expected() const;
  double error() const {
    std::vector<double> found;
    for (const std::uint16_t bits : output.host()) found.push_back(value_of(bits));
    return largest_difference(found, expected());
  }
};

inline std::vector<double> AttentionCase::expected() const {
  std::vector<double> result(count());
  const auto rows = static_cast<std::size_t>(length);
  for (std::size_t head = 0; head < static_cast<std::size_t>(heads); ++head)
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t query = (head * rows + i) * 64;
      double sum = 0;
      for (std::size_t j = 0; j < rows; ++j) {
        const std::size_t key = (head * rows + j) * 64;
        double score = 0;
        for (std::size_t d = 0; d < 64; ++d)
          score += value_of(queries[query + d]) * value_of(keys[key + d]);
        const double weight = std::exp(score / 8);
        sum += weight;
        for (std::size_t d = 0; d < 64; ++d)
          result[query + d] += weight * value_of(values[key + d]);
      }
      for (std::size_t d = 0; d < 64; ++d) result[query + d] /= sum;
    }
  return result;
}

struct WarpgroupProductCase {
  int m = 128, n = 128, k = 256;
  std::vector<std::uint16_t> a = normal_bf16(area(m, k), 4);
  std::vector<std::uint16_t> b = normal_bf16(area(n, k), 5);
  DeviceArray<std::uint16_t> device_a{a}, device_b{b};
  DeviceArray<float> c{static_cast<std::int64_t>(area(m, n)), NAN};

  CUtensorMap map_of(DeviceArray<std::uint16_t>& matrix, int rows) const {
    return tensor_map({.data = matrix.data(),
                       .sizes = {static_cast<cuuint64_t>(k), static_cast<cuuint64_t>(rows)},
                       .strides = {static_cast<cuuint64_t>(k) * 2},
                       .box = {64, 64}},
                      CU_TENSOR_MAP_SWIZZLE_128B);
  }
  cudaError_t run(gpu_tests::WarpgroupBug bug) {
    return gpu_tests::warpgroup_product(bug, {.a = map_of(device_a, m),
                                              .b = map_of(device_b, n),
                                              .c = c.data(),
                                              .m = m,
                                              .n = n,
                                              .k = k});
  }
  double error() const {
    const auto size = [](int extent) { return static_cast<std::size_t>(extent); };
    return largest_difference(c.host(), product_of(a, b, size(m), size(n), size(k)));
  }
};

}  // namespace lodestone::testing
