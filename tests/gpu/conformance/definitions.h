#pragma once
// What the PTX manual says that an instruction gives, written out in exact integers and f64, from
// the manual alone.
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "tests/gpu/conformance/inputs.h"
#include "tests/gpu/conformance/kernels.h"

namespace lodestone::gpu_tests {

inline constexpr int kLanes = 32;

// What may stand in one word of a result.
class Outcome {
 public:
  // These bits.
  static Outcome exactly(std::uint32_t bits) { return either(bits, bits); }
  // One or the other: where the manual does not say which.
  static Outcome either(std::uint32_t bits, std::uint32_t other) {
    return {Kind::kBits, bits, other, 0, 0};
  }
  // An f32 at most `bound` away from the value.
  static Outcome near(double value, double bound) { return {Kind::kNear, 0, 0, value, bound}; }
  // Any NaN of f32, likewise.
  static Outcome not_a_number() { return {Kind::kNan, 0, 0, 0, 0}; }

  bool accepts(std::uint32_t found) const;
  // Whether two devices may answer that. Each may be off by the bound, to either side. What the
  // manual leaves open but for NaN is taken for a property of the hardware.
  bool agrees(std::uint32_t recorded, std::uint32_t found) const;
  // "3f800000 (1)", "0.5 to within 1e-7", "a NaN"
  std::string text() const;

 private:
  enum class Kind : std::uint8_t { kBits, kNear, kNan };
  Outcome(Kind kind, std::uint32_t bits, std::uint32_t other, double value, double bound)
      : kind_(kind), bits_(bits), other_(other), value_(value), bound_(bound) {}

  Kind kind_;
  std::uint32_t bits_, other_;
  double value_, bound_;
};

struct Definition {
  std::string name;  // of the kernel
  std::vector<Operand> operands;
  // From the operands of 32 lanes to their results, word after word, lane after lane.
  std::function<std::vector<Outcome>(std::span<const std::uint32_t>)> of_warp;
};

template <class T>
T take(std::span<const std::uint32_t>& words) {
  T value;
  std::memcpy(&value, words.data(), sizeof(T));
  words = words.subspan(kWordsOf<T>);
  return value;
}

inline void put(std::vector<Outcome>& outcomes, const Outcome& outcome) {
  outcomes.push_back(outcome);
}
template <std::size_t kSize>
void put(std::vector<Outcome>& outcomes, const std::array<Outcome, kSize>& several) {
  outcomes.insert(outcomes.end(), several.begin(), several.end());
}
template <class T>
void put(std::vector<Outcome>& outcomes, const T& value) {
  std::uint32_t words[kWordsOf<T>]{};
  std::memcpy(words, &value, sizeof(T));
  for (const std::uint32_t word : words) outcomes.push_back(Outcome::exactly(word));
}

// The definition of an instruction of which lanes know nothing of each other.
template <class Result, class... Arguments>
Definition of_each_lane(std::string name, std::vector<Operand> operands,
                        Result (*function)(Arguments...)) {
  return {std::move(name), std::move(operands), [function](std::span<const std::uint32_t> words) {
            std::vector<Outcome> outcomes;
            for (int lane = 0; lane < kLanes; ++lane) {
              // In braces arguments are evaluated from left to right.
              const std::tuple<Arguments...> arguments{take<Arguments>(words)...};
              put(outcomes, std::apply(function, arguments));
            }
            return outcomes;
          }};
}

// The definition of one to which all 32 operands contribute.
template <class Result, class Argument>
Definition of_warp(std::string name, std::vector<Operand> operands,
                   std::vector<Result> (*function)(const std::vector<Argument>&)) {
  return {std::move(name), std::move(operands), [function](std::span<const std::uint32_t> words) {
            std::vector<Argument> arguments;
            arguments.reserve(kLanes);
            for (int lane = 0; lane < kLanes; ++lane) arguments.push_back(take<Argument>(words));
            std::vector<Outcome> outcomes;
            for (const Result& result : function(arguments)) put(outcomes, result);
            return outcomes;
          }};
}

std::vector<Definition> float_definitions();
std::vector<Definition> approximation_definitions();
std::vector<Definition> conversion_definitions();
std::vector<Definition> integer_definitions();
std::vector<Definition> warp_definitions();
std::vector<Definition> atomic_definitions();
std::vector<Definition> matrix_definitions();

}  // namespace lodestone::gpu_tests
