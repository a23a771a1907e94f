#include "data/random_variates.h"

#include <cmath>
#include <numbers>

namespace lodestone {
namespace {

constexpr double kInversionBelow = 10;

// ln k!: exact products while they fit a double, then Stirling's series (error below 1e-12).
// std::lgamma would write the global signgam from every thread.
double log_factorial(double k) {
  if (k < 16) {
    double product = 1;
    for (int factor = 2; factor <= static_cast<int>(k); ++factor) product *= factor;
    return std::log(product);
  }
  const double n = k + 1, square = n * n;
  const double series = (1.0 / 12 - (1.0 / 360 - 1.0 / (1260 * square)) / square) / n;
  return (n - 0.5) * std::log(n) - n + 0.5 * std::log(2 * std::numbers::pi) + series;
}

std::int64_t poisson_by_inversion(VariateStream& stream, double mean) {
  double remaining = stream.open_uniform();
  double probability = std::exp(-mean);
  std::int64_t k = 0;
  // The bound ends the search when rounding has left more than the whole tail's probability.
  while (remaining > probability && k < 200) {
    remaining -= probability;
    ++k;
    probability *= mean / static_cast<double>(k);
  }
  return k;
}

std::int64_t poisson_by_rejection(VariateStream& stream, double mean) {
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double squeeze = 0.9277 - 3.6224 / (b - 2);
  const double log_mean = std::log(mean);
  for (;;) {
    const double u = stream.open_uniform() - 0.5;
    const double v = stream.open_uniform();
    const double us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return static_cast<std::int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double log_ratio = std::log(v * inverse_alpha / (a / (us * us) + b));
    if (log_ratio <= k * log_mean - mean - log_factorial(k)) return static_cast<std::int64_t>(k);
  }
}

}  // namespace

std::uint32_t VariateStream::word() {
  if (used_ == words_.size()) {
    words_ = key_.at(row_, block_++, plane_);
    used_ = 0;
  }
  return words_[used_++];
}

double VariateStream::open_uniform() {
  const std::uint64_t high = word();
  const std::uint64_t bits = (high << 20) | (word() >> 12);
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

std::int64_t VariateStream::below(std::int64_t bound) {
  const std::uint32_t high = word(), low = word();
  return static_cast<std::int64_t>(uniform(high, low) * static_cast<double>(bound));
}

double normal_variate(VariateStream& stream) {
  const double radius = std::sqrt(-2 * std::log(stream.open_uniform()));
  return radius * std::cos(2 * std::numbers::pi * stream.open_uniform());
}

double gamma_variate(VariateStream& stream, double shape) {
  const double raised = shape < 1 ? shape + 1 : shape;
  const double d = raised - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal_variate(stream);
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(stream.open_uniform()) >= 0.5 * x * x + d * (1 - v + std::log(v))) continue;
    return shape < 1 ? d * v * std::pow(stream.open_uniform(), 1 / shape) : d * v;
  }
}

std::int64_t poisson_variate(VariateStream& stream, double mean) {
  return mean < kInversionBelow ? poisson_by_inversion(stream, mean)
                                : poisson_by_rejection(stream, mean);
}

std::int64_t negative_binomial_variate(VariateStream& stream, double mean, double dispersion) {
  if (dispersion <= 0) return poisson_variate(stream, mean);
  return poisson_variate(stream, mean * dispersion * gamma_variate(stream, 1 / dispersion));
}

}  // namespace lodestone
