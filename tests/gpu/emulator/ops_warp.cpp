// Lanes that exchange values: shuffles, votes, matches, reductions over a warp.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/gpu/emulator/block.h"
#include "tests/gpu/emulator/lanes.h"
#include "tests/gpu/emulator/launch.h"
#include "tests/gpu/emulator/parser.h"
#include "tests/gpu/emulator/translations.h"

namespace lodestone::ptx {

namespace {

using U32 = std::uint32_t;
using U64 = std::uint64_t;

constexpr U32 kFromNobody = ~U32{0};  // what a lane reads from one that takes no part: NaN

// A register with a destination of its own for the predicate: %r1|%p1.
void translate_destinations(Translator& t, const Operand& to, Operation& operation) {
  const bool has_predicate = to.kind == Operand::Kind::kPair;
  operation.registers[0] = t.destination(has_predicate ? to.elements[0] : to, 32);
  if (has_predicate) operation.registers[4] = t.destination(to.elements[1], 1);
}

enum class Shuffle : U32 { kUp, kDown, kButterfly, kIndex };

struct Source {
  U32 lane = 0;
  bool is_inside = false;  // of the segment
};

// The segments that c describes: its upper bits fix bits of the lane, the lower ones bound it.
template <Shuffle kShuffle>
Source source_of(U32 lane, U32 b, U32 c) {
  const U32 by = b & 31, clamp = c & 31, segment = c >> 8 & 31;
  const U32 most = (lane & segment) | (clamp & ~segment);
  const U32 least = lane & segment;
  switch (kShuffle) {
    case Shuffle::kUp: {
      const int from = static_cast<int>(lane) - static_cast<int>(by);
      return {static_cast<U32>(from) & 31, from >= static_cast<int>(most)};
    }
    case Shuffle::kDown:
      return {(lane + by) & 31, lane + by <= most};
    case Shuffle::kButterfly:
      return {lane ^ by, (lane ^ by) <= most};
    case Shuffle::kIndex:
      return {least | (by & ~segment), (least | (by & ~segment)) <= most};
  }
  return {};
}

template <Shuffle kShuffle>
void shuffle(Warp& warp, const Operation& operation, LaneMask mask) {
  U32 values[kLanes];
  std::memcpy(values, warp.lanes<U32>(operation.registers[1]), sizeof values);
  U32* to = warp.lanes<U32>(operation.registers[0]);
  const U32* b = warp.lanes<U32>(operation.registers[2]);
  const U32* c = warp.lanes<U32>(operation.registers[3]);
  LaneMask inside = 0;
  for (LaneMask rest = mask; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<U32>(std::countr_zero(rest));
    const Source source = source_of<kShuffle>(lane, b[lane], c[lane]);
    const U32 from = source.is_inside ? source.lane : lane;
    to[lane] = (mask >> from & 1) != 0 ? values[from] : kFromNobody;
    inside |= LaneMask{source.is_inside} << lane;
  }
  if (operation.registers[4] != kNone) warp.set_predicate(operation.registers[4], inside, mask);
}

void translate_shuffle(Translator& t, const Instruction& instruction, const Match& match,
                       Operation& operation) {
  t.expect_operands(5);
  translate_destinations(t, instruction.operands[0], operation);
  for (std::size_t i = 1; i <= 3; ++i)
    operation.registers[i] = t.source(instruction.operands[i], 32);
  operation.members = t.source(instruction.operands[4], 32);
  operation.flow = Flow::kWarpSync;
  static constexpr TypedHandler kHandlers[]{{"up", shuffle<Shuffle::kUp>},
                                            {"down", shuffle<Shuffle::kDown>},
                                            {"bfly", shuffle<Shuffle::kButterfly>},
                                            {"idx", shuffle<Shuffle::kIndex>}};
  operation.handler = handler_for(kHandlers, match[0]);
}

// The source predicate's lanes; `immediate` is 1 when it is negated.
LaneMask votes(const Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask predicate = warp.predicate(operation.registers[1]);
  return (operation.immediate != 0 ? ~predicate : predicate) & mask;
}

void vote_all(Warp& warp, const Operation& operation, LaneMask mask) {
  const bool all = votes(warp, operation, mask) == mask;
  warp.set_predicate(operation.registers[0], all ? mask : 0, mask);
}

void vote_any(Warp& warp, const Operation& operation, LaneMask mask) {
  const bool any = votes(warp, operation, mask) != 0;
  warp.set_predicate(operation.registers[0], any ? mask : 0, mask);
}

void vote_uniform(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask value = votes(warp, operation, mask);
  warp.set_predicate(operation.registers[0], value == 0 || value == mask ? mask : 0, mask);
}

void ballot(Warp& warp, const Operation& operation, LaneMask mask) {
  const LaneMask value = votes(warp, operation, mask);
  U32* to = warp.lanes<U32>(operation.registers[0]);
  for_lanes(mask, [&](U32 lane) { to[lane] = value; });
}

void translate_vote(Translator& t, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  t.expect_operands(3);
  static constexpr TypedHandler kHandlers[]{{"all.pred", vote_all},
                                            {"any.pred", vote_any},
                                            {"uni.pred", vote_uniform},
                                            {"ballot.b32", ballot}};
  operation.handler = handler_for(kHandlers, match[0]);
  const bool counts = operation.handler == ballot;
  operation.registers[0] = t.destination(instruction.operands[0], counts ? 32 : 1);
  const auto [place, negated] = t.predicate(instruction.operands[1]);
  operation.registers[1] = place;
  operation.immediate = negated ? 1 : 0;
  operation.members = t.source(instruction.operands[2], 32);
  operation.flow = Flow::kWarpSync;
}

template <class T>
void match_any(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* values = warp.lanes<T>(operation.registers[1]);
  LaneMask result[kLanes]{};
  for (U32 lane = 0; lane < kLanes; ++lane) {
    for (U32 other = 0; other < kLanes; ++other) {
      result[lane] |= LaneMask{values[lane] == values[other]} << other;
    }
  }
  U32* to = warp.lanes<U32>(operation.registers[0]);
  for_lanes(mask, [&](U32 lane) { to[lane] = result[lane] & mask; });
}

template <class T>
void match_all(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* values = warp.lanes<T>(operation.registers[1]);
  const T first = values[std::countr_zero(mask)];
  LaneMask equal = 0;
  for (U32 lane = 0; lane < kLanes; ++lane) equal |= LaneMask{values[lane] == first} << lane;
  const bool all = (equal & mask) == mask;
  U32* to = warp.lanes<U32>(operation.registers[0]);
  for_lanes(mask, [&](U32 lane) { to[lane] = all ? mask : 0; });
  if (operation.registers[4] != kNone) {
    warp.set_predicate(operation.registers[4], all ? mask : 0, mask);
  }
}

void translate_match(Translator& t, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  t.expect_operands(3);
  const U32 bits = type_bits(match[1]);
  const bool is_all = match[0] == "all";
  if (!is_all && instruction.operands[0].kind == Operand::Kind::kPair) {
    t.refuse("match.any has no predicate");
  }
  translate_destinations(t, instruction.operands[0], operation);
  operation.registers[1] = t.source(instruction.operands[1], bits);
  operation.members = t.source(instruction.operands[2], 32);
  operation.flow = Flow::kWarpSync;
  operation.handler = is_all ? (bits == 32 ? match_all<U32> : match_all<U64>)
                             : (bits == 32 ? match_any<U32> : match_any<U64>);
}

void active_mask(Warp& warp, const Operation& operation, LaneMask mask) {
  U32* to = warp.lanes<U32>(operation.registers[0]);
  for_lanes(mask, [&](U32 lane) { to[lane] = mask; });
}

void translate_active_mask(Translator& t, const Instruction& instruction, const Match& /*match*/,
                           Operation& operation) {
  t.expect_operands(1);
  operation.registers[0] = t.destination(instruction.operands[0], 32);
  operation.handler = active_mask;
}

template <class T, class Combine>
void reduce(Warp& warp, const Operation& operation, LaneMask mask) {
  const T* values = warp.lanes<T>(operation.registers[1]);
  T result = values[std::countr_zero(mask)];
  for (LaneMask rest = mask & (mask - 1); rest != 0; rest &= rest - 1) {
    result = Combine{}(result, values[std::countr_zero(rest)]);
  }
  T* to = warp.lanes<T>(operation.registers[0]);
  for_lanes(mask, [&](U32 lane) { to[lane] = result; });
}

struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    return std::min(a, b);
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    return std::max(a, b);
  }
};

void translate_reduce(Translator& t, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  t.expect_operands(3);
  static constexpr TypedHandler kHandlers[]{
      {"add.u32", reduce<U32, std::plus<>>},      {"add.s32", reduce<U32, std::plus<>>},
      {"min.u32", reduce<U32, Minimum>},          {"max.u32", reduce<U32, Maximum>},
      {"min.s32", reduce<std::int32_t, Minimum>}, {"max.s32", reduce<std::int32_t, Maximum>},
      {"and.b32", reduce<U32, std::bit_and<>>},   {"or.b32", reduce<U32, std::bit_or<>>},
      {"xor.b32", reduce<U32, std::bit_xor<>>}};
  operation.registers[0] = t.destination(instruction.operands[0], 32);
  operation.registers[1] = t.source(instruction.operands[1], 32);
  operation.members = t.source(instruction.operands[2], 32);
  operation.flow = Flow::kWarpSync;
  operation.handler = handler_for(kHandlers, match[0]);
}

}  // namespace

void add_warp_operations(OpcodeTable& table) {
  table.add("shfl.sync.(up|down|bfly|idx).b32", &translate_shuffle);
  table.add("vote.sync.(all.pred|any.pred|uni.pred|ballot.b32)", &translate_vote);
  table.add("match.(any|all).sync.(b32|b64)", &translate_match);
  table.add("activemask.b32", &translate_active_mask);
  table.add("redux.sync.(add.u32|add.s32|min.u32|max.u32|min.s32|max.s32|and.b32|or.b32|xor.b32)",
            &translate_reduce);
}

}  // namespace lodestone::ptx
