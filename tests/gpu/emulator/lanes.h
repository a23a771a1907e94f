#pragma once
// Loops over the lanes of a warp. All 32 at once is the common case, and the one that vectorises.
#include "tests/gpu/emulator/warp.h"

namespace lodestone::ptx {

// One lane after the other, by number: where the order matters, or nothing vectorises.
template <class Body>
inline void for_lanes_in_order(LaneMask mask, Body&& body) {
  for (; mask != 0; mask &= mask - 1) body(static_cast<std::uint32_t>(__builtin_ctz(mask)));
}

template <class Body>
inline void for_lanes(LaneMask mask, Body&& body) {
  if (mask == kAllLanes) {
#pragma omp simd
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) body(lane);
    return;
  }
  for_lanes_in_order(mask, body);
}

// destination = function(a), (a, b), (a, b, c), of registers[0..3].
template <class To, class From, class Function>
void unary(Warp& warp, const Operation& operation, LaneMask mask) {
  To* to = warp.lanes<To>(operation.registers[0]);
  const From* a = warp.lanes<From>(operation.registers[1]);
  for_lanes(mask, [&](std::uint32_t lane) { to[lane] = Function{}(a[lane]); });
}

template <class To, class From, class Function>
void binary(Warp& warp, const Operation& operation, LaneMask mask) {
  To* to = warp.lanes<To>(operation.registers[0]);
  const From* a = warp.lanes<From>(operation.registers[1]);
  const From* b = warp.lanes<From>(operation.registers[2]);
  for_lanes(mask, [&](std::uint32_t lane) { to[lane] = Function{}(a[lane], b[lane]); });
}

template <class To, class From, class Function>
void ternary(Warp& warp, const Operation& operation, LaneMask mask) {
  To* to = warp.lanes<To>(operation.registers[0]);
  const From* a = warp.lanes<From>(operation.registers[1]);
  const From* b = warp.lanes<From>(operation.registers[2]);
  const To* c = warp.lanes<To>(operation.registers[3]);
  for_lanes(mask, [&](std::uint32_t lane) { to[lane] = Function{}(a[lane], b[lane], c[lane]); });
}

}  // namespace lodestone::ptx
