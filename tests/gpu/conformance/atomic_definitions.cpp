#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "tests/gpu/conformance/arithmetic.h"
#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

using Word = std::uint32_t;

template <class T>
struct Exchange {
  T before, after;
};

// The manual does not say which NaN.
std::array<Outcome, 2> add(Mode mode, float cell, float b) {
  const Outcome before = Outcome::exactly(std::bit_cast<Word>(cell));
  if (std::isnan(cell + b)) return {before, Outcome::not_a_number()};
  return {before, Outcome::exactly(static_cast<Word>(sum(kF32, mode, cell, b)))};
}

Exchange<Word> add_bfloats(Word cell, Word b) {
  const auto half = [&](int shift) {
    return sum(kBf16, {}, number_of(kBf16, cell >> shift & 0xffff),
               number_of(kBf16, b >> shift & 0xffff));
  };
  return {cell, static_cast<Word>(half(16) << 16 | half(0))};
}

}  // namespace

std::vector<Definition> atomic_definitions() {
  using enum Operand;
  using Long = std::uint64_t;
  const std::vector<Operand> floats{kFloat, kFloat}, words{kWord, kWord};
  return {
      // Subnormal numbers are flushed in global memory, and kept in shared memory.
      of_each_lane(
          "atom.global.add.f32", floats,
          +[](float cell, float b) { return add({.flushes = true}, cell, b); }),
      of_each_lane(
          "atom.shared.add.f32", floats, +[](float cell, float b) { return add({}, cell, b); }),
      of_each_lane("atom.global.add.noftz.bf16x2", {kBfloats, kBfloats}, &add_bfloats),
      of_each_lane(
          "atom.global.max.s32", words,
          +[](int cell, int b) {
            return Exchange<int>{cell, std::max(cell, b)};
          }),
      of_each_lane(
          "atom.global.inc.u32", words,
          +[](Word cell, Word b) {
            return Exchange<Word>{cell, cell >= b ? 0 : cell + 1};
          }),
      of_each_lane(
          "atom.global.dec.u32", words,
          +[](Word cell, Word b) {
            return Exchange<Word>{cell, cell == 0 || cell > b ? b : cell - 1};
          }),
      of_each_lane(
          "atom.global.cas.b64", {kFewLongs, kFewLongs, kLong},
          +[](Long cell, Long b, Long c) {
            return Exchange<Long>{cell, cell == b ? c : cell};
          }),
  };
}

}  // namespace lodestone::gpu_tests
