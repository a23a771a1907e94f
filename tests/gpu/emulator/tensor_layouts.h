#pragma once
// Which thread of a warp holds which matrix element: the fragments of mma, ldmatrix, stmatrix and
// wgmma (PTX ISA, "Matrix fragments"). A fragment is a list of 32-bit registers per lane; 16-bit
// elements lie two in a register, half 0 in its low bits.
#include <cstdint>

namespace lodestone::ptx {

constexpr int kWarpSize = 32;

struct Element {
  int row = 0;
  int column = 0;
  constexpr bool operator==(const Element&) const = default;
};

// An 8 x 8 matrix of 16-bit elements, as ldmatrix and stmatrix move it: one register per lane.
constexpr Element matrix_8x8(int lane, int half) {
  return {lane / 4, lane % 4 * 2 + half};
}

// Accumulators (C and D) of every shape, and of wgmma: blocks of 8 columns, four registers each.
// Of wgmma, the rows are those of the warp: 16 * (warp % 4) comes on top.
constexpr Element accumulator(int lane, int index) {
  return {lane / 4 + index / 2 % 2 * 8, index / 4 * 8 + lane % 4 * 2 + index % 2};
}

// A of m16n8k16 (16 x 16, four registers) and of wgmma m64nNk16 from registers.
constexpr Element operand_a_16bit(int lane, int index, int half) {
  return {lane / 4 + index % 2 * 8, index / 2 * 8 + lane % 4 * 2 + half};
}

// B of m16n8k16 (16 x 8, two registers); row is k, column is n.
constexpr Element operand_b_16bit(int lane, int index, int half) {
  return {index * 8 + lane % 4 * 2 + half, lane / 4};
}

// A of m16n8k8 tf32 (16 x 8, four registers) and of wgmma m64nNk8 from registers.
constexpr Element operand_a_tf32(int lane, int index) {
  return {lane / 4 + index % 2 * 8, index / 2 * 4 + lane % 4};
}

// B of m16n8k8 tf32 (8 x 8, two registers); row is k, column is n.
constexpr Element operand_b_tf32(int lane, int index) {
  return {index * 4 + lane % 4, lane / 4};
}

}  // namespace lodestone::ptx
