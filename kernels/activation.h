#pragma once
#include <cstdint>

namespace lodestone {

// What a linear layer applies to its sums. kGelu: the exact one, x * Phi(x) = x / 2 * (1 +
// erf(x / sqrt 2)). kGeluTanh: its approximation x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715
// x^3))), within 5e-4 of it (Hendrycks and Gimpel 2016, both).
enum class Activation : std::uint8_t { kNone, kGelu, kGeluTanh };

}  // namespace lodestone
