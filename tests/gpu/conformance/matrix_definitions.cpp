// Where the elements of a matrix lie in the registers of a warp, by the formulas of the PTX manual:
// group = lane / 4, place = lane % 4.
#include <array>
#include <bit>
#include <cmath>

#include "tests/gpu/conformance/arithmetic.h"
#include "tests/gpu/conformance/definitions.h"

namespace lodestone::gpu_tests {

namespace {

using Word = std::uint32_t;
using Quad = std::array<Word, 4>;

// Element `column` of row `row % 8` of matrix `row / 8`, where lane `row` holds the row.
Word element(const std::vector<Quad>& rows, std::size_t row, std::size_t column) {
  return rows[row][column / 2] >> (16 * (column % 2)) & 0xffff;
}

// A lane's word of each matrix: elements 2 place and 2 place + 1 of row `group`, or of a column.
template <bool kIsTransposed>
std::vector<Quad> loaded(const std::vector<Quad>& rows) {
  std::vector<Quad> fragments(kLanes);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::size_t group = lane / 4, place = lane % 4;
    for (std::size_t matrix = 0; matrix < 4; ++matrix) {
      const auto half = [&](std::size_t i) {
        const std::size_t across = 2 * place + i;
        return kIsTransposed ? element(rows, 8 * matrix + across, group)
                             : element(rows, 8 * matrix + group, across);
      };
      fragments[lane][matrix] = half(0) | half(1) << 16;
    }
  }
  return fragments;
}

std::vector<Quad> stored(const std::vector<Quad>& fragments) {
  std::vector<Quad> rows(kLanes);
  for (std::size_t row = 0; row < kLanes; ++row) {
    for (std::size_t place = 0; place < 4; ++place) {
      rows[row][place] = fragments[4 * (row % 8) + place][row / 8];
    }
  }
  return rows;
}

struct ProductOperands {
  Quad a;
  std::array<Word, 2> b;
  std::array<float, 4> c;
};

double bfloat(Word word, std::size_t half) {
  return static_cast<double>(number_of(kBf16, word >> (16 * half) & 0xffff));
}

double tensor_float(Word word) {
  return static_cast<double>(number_of(kTf32, word >> 13));
}

struct Matrices {
  double a[16][16]{}, b[16][8]{}, c[16][8]{};
};

// a[row][k]: word i holds row group + 8 (i % 2); of bf16 columns 2 place and 2 place + 1, from i =
// 2 on 8 more; of tf32 column place, from i = 2 on 4 more. b[k][column]: column group, likewise.
template <bool kIsBfloat>
Matrices matrices_of(const std::vector<ProductOperands>& lanes) {
  Matrices all;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::size_t group = lane / 4, place = lane % 4;
    for (std::size_t i = 0; i < 4; ++i) {
      const Word a = lanes[lane].a[i];
      const std::size_t row = group + 8 * (i % 2), later = i / 2;
      all.c[group + 8 * (i / 2)][2 * place + i % 2] = static_cast<double>(lanes[lane].c[i]);
      if (!kIsBfloat) all.a[row][place + 4 * later] = tensor_float(a);
      for (std::size_t half = 0; kIsBfloat && half < 2; ++half) {
        all.a[row][2 * place + half + 8 * later] = bfloat(a, half);
      }
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const Word b = lanes[lane].b[i];
      if (!kIsBfloat) all.b[place + 4 * i][group] = tensor_float(b);
      for (std::size_t half = 0; kIsBfloat && half < 2; ++half) {
        all.b[2 * place + half + 8 * i][group] = bfloat(b, half);
      }
    }
  }
  return all;
}

// Products are exact; what the sum of them loses is not defined. Taken for granted is an ulp of the
// sum of magnitudes at each of the additions. Sums of small integers are exact in any order.
template <bool kIsBfloat, bool kIsInteger>
std::vector<std::array<Outcome, 4>> products(const std::vector<ProductOperands>& lanes) {
  constexpr std::size_t kDepth = kIsBfloat ? 16 : 8;
  const Matrices all = matrices_of<kIsBfloat>(lanes);
  std::vector<std::array<Outcome, 4>> results;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const auto outcome = [&](std::size_t i) {
      const std::size_t row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
      double sum = all.c[row][column], magnitudes = std::fabs(sum);
      for (std::size_t k = 0; k < kDepth; ++k) {
        sum += all.a[row][k] * all.b[k][column];
        magnitudes += std::fabs(all.a[row][k] * all.b[k][column]);
      }
      if (kIsInteger) return Outcome::exactly(std::bit_cast<Word>(static_cast<float>(sum)));
      return Outcome::near(sum, static_cast<double>(kDepth) * 0x1p-23 * magnitudes);
    };
    results.push_back({outcome(0), outcome(1), outcome(2), outcome(3)});
  }
  return results;
}

Quad copied(Quad source, Word size) {
  Quad copy{};
  std::memcpy(&copy, &source, size);
  return copy;
}

}  // namespace

std::vector<Definition> matrix_definitions() {
  using enum Operand;
  const std::vector<Operand> bits(4, kBits);
  const auto ten = [](Operand factor, Operand summand) {
    std::vector<Operand> operands(6, factor);
    operands.resize(10, summand);
    return operands;
  };
  return {
      of_warp("ldmatrix.m8n8.x4.b16", bits, &loaded<false>),
      of_warp("ldmatrix.m8n8.x4.trans.b16", bits, &loaded<true>),
      of_warp("stmatrix.m8n8.x4.b16", bits, &stored),
      of_warp("mma.m16n8k16.f32.bf16.bf16.f32 of integers", ten(kIntegerBfloats, kInteger),
              &products<true, true>),
      of_warp("mma.m16n8k16.f32.bf16.bf16.f32", ten(kBfloats, kNumber), &products<true, false>),
      of_warp("mma.m16n8k8.f32.tf32.tf32.f32 of integers", ten(kInteger, kInteger),
              &products<false, true>),
      of_warp("mma.m16n8k8.f32.tf32.tf32.f32", ten(kTensorFloat, kNumber), &products<false, false>),
      of_each_lane("cp.async.cg.shared.global", {kBits, kBits, kBits, kBits, kBytes}, &copied)};
}

}  // namespace lodestone::gpu_tests
