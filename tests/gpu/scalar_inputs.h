#pragma once
// Inputs of scalar operations in tests: corner cases and random numbers, every pair of them.
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace lodestone::testing {

// Zeros, ones, subnormal numbers, extremes, infinities, NaN.
inline std::vector<float> special_floats() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> values{
      0.0f,      1.0f,        1.5f,          3.0f,          0x1.fffffep0f,
      0x1p-149f, 0x1.8p-130f, Limits::min(), Limits::max(), Limits::infinity()};
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  values.push_back(Limits::quiet_NaN());
  return values;
}

// Random signs, `bits` of mantissa, exponents within +-span.
inline std::vector<float> random_floats(std::size_t count, int bits, int span, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const auto mantissa = static_cast<float>((engine() >> (32 - bits)) | 1u << (bits - 1));
    const int exponent = static_cast<int>(engine() % static_cast<unsigned>(2 * span + 1)) - span;
    value = std::ldexp(engine() % 2 == 0 ? mantissa : -mantissa, exponent - bits + 1);
  }
  return values;
}

template <class T>
std::vector<T> integers(std::size_t random_count, unsigned seed) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values{0,
                        1,
                        2,
                        3,
                        7,
                        31,
                        32,
                        33,
                        static_cast<T>(Limits::max() - 1),
                        Limits::max(),
                        Limits::min(),
                        static_cast<T>(Limits::min() + 1),
                        static_cast<T>(~T{0}),
                        static_cast<T>(0x55)};
  std::mt19937_64 engine(seed);
  for (std::size_t i = 0; i < random_count; ++i) {
    values.push_back(static_cast<T>(engine() >> (engine() % 64)));
  }
  return values;
}

// Every pair of elements, as two arrays.
template <class T>
struct Pairs {
  explicit Pairs(const std::vector<T>& values) {
    for (const T a : values) {
      for (const T b : values) {
        first.push_back(a);
        second.push_back(b);
      }
    }
  }
  std::vector<T> first, second;
};

}  // namespace lodestone::testing
