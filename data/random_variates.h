#pragma once
// Random variates from counter-based words. A stream is named by (key, row, plane) and depends on
// nothing else, so any cell's numbers can be drawn alone, in any order, on any thread.
#include <array>
#include <cstdint>

#include "engine/core/philox.h"

namespace lodestone {

// The words at index (row, block, plane) of a key, block counting up.
class VariateStream {
 public:
  VariateStream(RandomKey key, std::uint64_t row, std::uint32_t plane = 0)
      : key_(key), row_(row), plane_(plane) {}
  std::uint32_t word();
  // In (0, 1), 52 bits of it: its logarithm is finite.
  double open_uniform();
  // In 0 .. bound - 1, bound >= 1 (bias below bound / 2^53).
  std::int64_t below(std::int64_t bound);

 private:
  RandomKey key_;
  std::uint64_t row_;
  std::uint32_t plane_;
  std::uint32_t block_ = 0;
  std::uint32_t used_ = 4;
  PhiloxBlock words_{};
};

// Mean 0, variance 1. Box and Muller (1958).
double normal_variate(VariateStream& stream);

// Mean shape, variance shape; shape > 0. Marsaglia and Tsang, "A simple method for generating gamma
// variables" (ACM TOMS 2000); below shape 1 by its boost G(shape + 1) U^(1 / shape).
double gamma_variate(VariateStream& stream, double shape);

// mean >= 0 and finite. Inversion below 10, else PTRS of Hörmann, "The transformed rejection method
// for generating Poisson random variables" (Insurance: Mathematics and Economics 1993).
std::int64_t poisson_variate(VariateStream& stream, double mean);

// Variance mean + dispersion mean^2, as a Poisson number whose mean is gamma distributed;
// dispersion >= 0, where 0 is Poisson.
std::int64_t negative_binomial_variate(VariateStream& stream, double mean, double dispersion);

}  // namespace lodestone
