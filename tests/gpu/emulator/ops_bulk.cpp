// cp.async.bulk and cp.reduce.async.bulk, of rows of bytes and of boxes of tensors; their
// prefetches. Multicast and im2col forms are not here, and so refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "tests/gpu/emulator/async_state.h"
#include "tests/gpu/emulator/ops_asynchronous.h"

namespace lodestone::ptx {

namespace {

// Operation::registers.
constexpr std::size_t kBytes = 0, kMap = 1, kMbarrier = 2;
// Operation::addresses.
constexpr std::size_t kShared = 0, kGlobal = 1;
// Operation::modifiers: a reduction, its kind above its type.
constexpr std::uint32_t kKindShift = 8;

Reduction reduction_of(const Operation& operation) {
  return {.kind = static_cast<ReductionKind>(operation.modifiers >> kKindShift),
          .type = static_cast<ReductionType>(operation.modifiers & 0xffu)};
}

TensorMap tensor_map_of(const Issuer& issuer, std::uint64_t address) {
  constexpr std::uint32_t kMapBytes = sizeof(CUtensorMap);
  const AddressSpace space = space_of(address);
  if (address % 64 != 0)
    issuer.report(FindingKind::kMisaligned, "tensor map at an address that is no multiple of 64");
  const std::uint64_t offset = address - window_of(space);
  check_lane_access(*issuer.warp, *issuer.operation, issuer.lane, space, offset, kMapBytes,
                    AccessKind::kRead, 64);
  const std::optional<TensorMap> map =
      TensorMap::read(host_address(*issuer.warp, space, issuer.lane, offset));
  if (!map)
    issuer.report(FindingKind::kAsynchronous,
                  "no tensor map at this address: cuTensorMapEncodeTiled has not written it");
  return *map;
}

ReductionType reduction_type_of(const Issuer& issuer, const TensorMap& map) {
  switch (map.type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT32:
      return ReductionType::kU32;
    case CU_TENSOR_MAP_DATA_TYPE_INT32:
      return ReductionType::kS32;
    case CU_TENSOR_MAP_DATA_TYPE_UINT64:
      return ReductionType::kU64;
    case CU_TENSOR_MAP_DATA_TYPE_INT64:
      return ReductionType::kS64;
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
      return ReductionType::kHalf;
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
      return ReductionType::kBfloat16;
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
      return ReductionType::kFloat;
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64:
      return ReductionType::kDouble;
    default:
      issuer.report(FindingKind::kAsynchronous,
                    fmt::format("reduction into a tensor map of data type {}", map.type));
  }
}

// What a lane's instruction asks for, without its mbarrier.
BulkCopy copy_of(const Issuer& issuer, const LaneAddresses& shared, const LaneAddresses& global) {
  const Operation& operation = *issuer.operation;
  BulkCopy copy;
  copy.issuer = issuer;
  copy.shared = static_cast<std::uint32_t>(shared[issuer.lane]);
  copy.reduction = reduction_of(operation);
  if (operation.registers[kMap] == kNone) {
    copy.global = global[issuer.lane];
    copy.bytes = issuer.warp->lanes<std::uint32_t>(operation.registers[kBytes])[issuer.lane];
    return copy;
  }
  copy.map = tensor_map_of(
      issuer, issuer.warp->lanes<std::uint64_t>(operation.registers[kMap])[issuer.lane]);
  copy.bytes = copy.map->box_bytes();
  if (copy.reduction.kind != ReductionKind::kReplace)
    copy.reduction.type = reduction_type_of(issuer, *copy.map);
  if (copy.map->rank != operation.list_size)
    issuer.report(FindingKind::kAsynchronous,
                  fmt::format("{} coordinates for a tensor map of rank {}", operation.list_size,
                              copy.map->rank));
  for (std::size_t i = 0; i < operation.list_size; ++i)
    copy.coordinates[i] =
        issuer.warp->lanes<std::int32_t>(issuer.warp->list(operation)[i])[issuer.lane];
  return copy;
}

template <class Visit>
void visit_copies(Warp& warp, const Operation& operation, LaneMask mask, Visit&& visit) {
  const LaneAddresses shared =
      shared_addresses(warp, operation, mask, operation.addresses[kShared]);
  LaneAddresses global{};
  if (operation.registers[kMap] == kNone)
    global = global_addresses(warp, operation, mask, operation.addresses[kGlobal]);
  for_each_lane(mask, [&](std::uint32_t lane) {
    visit(copy_of({&warp, &operation, lane}, shared, global));
  });
}

void run_load(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_copies(warp, operation, mask, [&](BulkCopy copy) {
    copy.mbarrier = warp.lanes<std::uint32_t>(operation.registers[kMbarrier])[copy.issuer.lane];
    asynchronous_state(warp).bulk.begin_load(copy);
  });
}

void run_store(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_copies(warp, operation, mask,
               [&](const BulkCopy& copy) { asynchronous_state(warp).bulk.begin_store(copy); });
}

void run_commit(Warp& warp, const Operation& /*operation*/, LaneMask mask) {
  for_each_lane(
      mask, [&](std::uint32_t lane) { asynchronous_state(warp).bulk.commit(warp.thread(lane)); });
}

void run_wait(Warp& warp, const Operation& operation, LaneMask mask) {
  for_each_lane(mask, [&](std::uint32_t lane) {
    asynchronous_state(warp).bulk.wait(warp.block(), warp.thread(lane),
                                       static_cast<std::size_t>(operation.immediate),
                                       operation.modifiers != 0);
  });
}

void run_prefetch(Warp& /*warp*/, const Operation& /*operation*/, LaneMask /*mask*/) {}

// [map, {coordinates}]
void tensor_operand(Translator& translator, const Operand& operand, std::string_view dimensions,
                    Operation& operation) {
  if (operand.kind != Operand::Kind::kAddress || operand.elements.size() != 2 ||
      operand.offset != 0)
    translator.refuse("[tensor map, {coordinates}] was expected");
  operation.registers[kMap] = translator.source(operand.elements[0], 64);
  std::vector<std::uint32_t> places;
  for (const Operand& coordinate : Translator::elements(operand.elements[1]))
    places.push_back(translator.source(coordinate, 32));
  if (places.size() != static_cast<std::size_t>(dimensions[0] - '0'))
    translator.refuse("wrong number of coordinates");
  operation.list = translator.list(places);
  operation.list_size = static_cast<std::uint32_t>(places.size());
}

// [mbarrier] in shared memory: its address, in a register.
std::uint32_t mbarrier_operand(Translator& translator, const Operand& operand) {
  if (operand.kind != Operand::Kind::kAddress || operand.offset != 0)
    translator.refuse("[mbarrier] was expected");
  return translator.source(operand.elements[0], 32);
}

// [shared], [global], bytes, [mbarrier]. Groups: the shared space, a cache hint.
void translate_load(Translator& translator, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  translator.expect_operands(match.has(1) ? 5 : 4);
  operation.addresses[kShared] = translator.address(operands[0], AddressSpace::kShared);
  operation.addresses[kGlobal] = translator.address(operands[1], AddressSpace::kGlobal);
  operation.registers[kBytes] = translator.source(operands[2], 32);
  operation.registers[kMbarrier] = mbarrier_operand(translator, operands[3]);
  operation.handler = run_load;
}

// [shared], [map, {coordinates}], [mbarrier]. Groups: dimensions, the shared space, .tile, a cache
// hint.
void translate_tensor_load(Translator& translator, const Instruction& instruction,
                           const Match& match, Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  translator.expect_operands(match.has(3) ? 4 : 3);
  operation.addresses[kShared] = translator.address(operands[0], AddressSpace::kShared);
  tensor_operand(translator, operands[1], match[0], operation);
  operation.registers[kMbarrier] = mbarrier_operand(translator, operands[2]);
  operation.handler = run_load;
}

// [global], [shared], bytes. Groups: a cache hint.
void translate_store(Translator& translator, const Instruction& instruction, const Match& match,
                     Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  translator.expect_operands(match.has(0) ? 4 : 3);
  operation.addresses[kGlobal] = translator.address(operands[0], AddressSpace::kGlobal);
  operation.addresses[kShared] = translator.address(operands[1], AddressSpace::kShared);
  operation.registers[kBytes] = translator.source(operands[2], 32);
  operation.handler = run_store;
}

// [map, {coordinates}], [shared]. Groups: dimensions, .tile, a cache hint.
void translate_tensor_store(Translator& translator, const Instruction& instruction,
                            const Match& match, Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  translator.expect_operands(match.has(2) ? 3 : 2);
  tensor_operand(translator, operands[0], match[0], operation);
  operation.addresses[kShared] = translator.address(operands[1], AddressSpace::kShared);
  operation.handler = run_store;
}

template <std::size_t kCount>
std::uint32_t index_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return static_cast<std::uint32_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::uint32_t reduction_kind(std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames{"",     ".add", ".min", ".max", ".inc",
                                                   ".dec", ".and", ".or",  ".xor"};
  return index_of(kNames, name) << kKindShift;
}

// Groups: a cache hint, the operation, the type.
void translate_reduction(Translator& translator, const Instruction& instruction, const Match& match,
                         Operation& operation) {
  constexpr std::array<std::string_view, 8> kTypes{".u32", ".s32",  ".u64", ".s64",
                                                   ".f16", ".bf16", ".f32", ".f64"};
  translate_store(translator, instruction, match, operation);
  const bool is_untyped = match[2] == ".b32" || match[2] == ".b64";
  const std::uint32_t type = is_untyped ? index_of(kTypes, match[2] == ".b32" ? ".u32" : ".u64")
                                        : index_of(kTypes, match[2]);
  operation.modifiers = reduction_kind(match[1]) | type;
}

// Groups: dimensions, the operation, .tile, a cache hint. The type is the tensor map's.
void translate_tensor_reduction(Translator& translator, const Instruction& instruction,
                                const Match& match, Operation& operation) {
  const std::vector<Operand>& operands = instruction.operands;
  translator.expect_operands(match.has(3) ? 3 : 2);
  tensor_operand(translator, operands[0], match[0], operation);
  operation.addresses[kShared] = translator.address(operands[1], AddressSpace::kShared);
  operation.modifiers = reduction_kind(match[1]);
  operation.handler = run_store;
}

void translate_commit(Translator& translator, const Instruction& /*instruction*/,
                      const Match& /*match*/, Operation& operation) {
  translator.expect_operands(0);
  operation.handler = run_commit;
}

// Groups: .read
void translate_wait(Translator& translator, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  translator.expect_operands(1);
  operation.immediate = translator.constant(instruction.operands[0]);
  if (operation.immediate < 0) translator.refuse("a negative number of groups");
  operation.modifiers = match.has(0) ? 1 : 0;
  operation.handler = run_wait;
}

void translate_prefetch(Translator& translator, const Instruction& /*instruction*/,
                        const Match& /*match*/, Operation& operation) {
  translator.expect_operands(1, 3);
  operation.handler = run_prefetch;
}

}  // namespace

void add_bulk_copies(OpcodeTable& table) {
  table.add(
      "cp.async.bulk(.shared::cluster|.shared::cta).global.mbarrier::complete_tx::bytes"
      "[.L2::cache_hint]",
      translate_load);
  table.add(
      "cp.async.bulk.tensor.(1d|2d|3d|4d|5d)(.shared::cluster|.shared::cta).global[.tile]"
      ".mbarrier::complete_tx::bytes[.L2::cache_hint]",
      translate_tensor_load);
  table.add("cp.async.bulk.global.shared::cta.bulk_group[.L2::cache_hint]", translate_store);
  table.add(
      "cp.async.bulk.tensor.(1d|2d|3d|4d|5d).global.shared::cta[.tile].bulk_group[.L2::cache_hint]",
      translate_tensor_store);
  const std::string reduction =
      "cp.reduce.async.bulk.global.shared::cta.bulk_group[.L2::cache_hint]";
  for (const char* const forms :
       {"(.min|.max)(.u32|.s32|.u64|.s64)", "(.add)(.u32|.s32|.u64|.f32|.f64)",
        "(.min|.max)(.f16|.bf16)", "(.add).noftz(.f16|.bf16)", "(.inc|.dec)(.u32)",
        "(.and|.or|.xor)(.b32|.b64)"})
    table.add(reduction + forms, translate_reduction);
  table.add(
      "cp.reduce.async.bulk.tensor.(1d|2d|3d|4d|5d).global.shared::cta"
      "(.add|.min|.max|.inc|.dec|.and|.or|.xor)[.tile].bulk_group[.L2::cache_hint]",
      translate_tensor_reduction);
  table.add("cp.async.bulk.commit_group", translate_commit);
  table.add("cp.async.bulk.wait_group[.read]", translate_wait);
  table.add("cp.async.bulk.prefetch.L2.global[.L2::cache_hint]", translate_prefetch);
  table.add("cp.async.bulk.prefetch.tensor.(1d|2d|3d|4d|5d).L2.global[.tile][.L2::cache_hint]",
            translate_prefetch);
  table.add("prefetch[.param|.const].tensormap", translate_prefetch);
}

}  // namespace lodestone::ptx
