// mbarrier.*, and cp.async.mbarrier.arrive. An operation on an mbarrier is an atomic access to the
// eight bytes of the object; what it lets threads know is kept by MbarrierTable.
#include "tests/gpu/emulator/async_state.h"
#include "tests/gpu/emulator/ops_asynchronous.h"

namespace lodestone::ptx {

namespace {

constexpr std::uint32_t kObjectBytes = 8;

// Operation::registers: the token or predicate, then a count, bytes, parity or token.
constexpr std::size_t kResult = 0, kCount = 1, kBytes = 2, kPhase = 3;
// Operation::modifiers.
constexpr std::uint32_t kRelaxed = 1, kDrops = 2, kIsParity = 4, kCountsItself = 8;

// Calls visit(issuer, address) for each lane, after the access is checked.
template <class Visit>
void visit_objects(Warp& warp, const Operation& operation, LaneMask mask, AccessKind kind,
                   Visit&& visit) {
  const LaneAddresses addresses = shared_addresses(warp, operation, mask, operation.addresses[0]);
  if (kind == AccessKind::kAtomic)
    for_each_lane(mask, [&](std::uint32_t lane) {
      asynchronous_state(warp).mbarriers.expect_initialised(
          {&warp, &operation, lane}, static_cast<std::uint32_t>(addresses[lane]));
    });
  check_access({warp, operation, AddressSpace::kShared, kind, kObjectBytes, mask, addresses,
                kind == AccessKind::kAtomic ? MemoryOrder::kRelaxed : MemoryOrder::kWeak});
  for_each_lane(mask, [&](std::uint32_t lane) {
    visit(Issuer{&warp, &operation, lane}, static_cast<std::uint32_t>(addresses[lane]));
  });
}

std::uint32_t operand_of(const Issuer& issuer, std::size_t place, std::uint32_t otherwise) {
  const std::uint32_t offset = issuer.operation->registers[place];
  return offset == kNone ? otherwise : issuer.warp->lanes<std::uint32_t>(offset)[issuer.lane];
}

void run_init(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_objects(
      warp, operation, mask, AccessKind::kWrite, [&](const Issuer& issuer, std::uint32_t address) {
        asynchronous_state(warp).mbarriers.init(issuer, address, operand_of(issuer, kCount, 0));
      });
}

void run_invalidate(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_objects(warp, operation, mask, AccessKind::kWrite,
                [&](const Issuer& issuer, std::uint32_t address) {
                  asynchronous_state(warp).mbarriers.invalidate(issuer, address);
                });
}

void run_expect(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_objects(warp, operation, mask, AccessKind::kAtomic,
                [&](const Issuer& issuer, std::uint32_t address) {
                  asynchronous_state(warp).mbarriers.expect_tx(issuer, address,
                                                               operand_of(issuer, kBytes, 0));
                });
}

void run_arrive(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_objects(warp, operation, mask, AccessKind::kAtomic,
                [&](const Issuer& issuer, std::uint32_t address) {
                  const std::uint64_t token = asynchronous_state(warp).mbarriers.arrive(
                      issuer, address,
                      {.count = operand_of(issuer, kCount, 1),
                       .expected_bytes = operand_of(issuer, kBytes, 0),
                       .drops = (operation.modifiers & kDrops) != 0,
                       .releases = (operation.modifiers & kRelaxed) == 0});
                  if (operation.registers[kResult] != kNone)
                    warp.lanes<std::uint64_t>(operation.registers[kResult])[issuer.lane] = token;
                });
}

void run_pending_count(Warp& warp, const Operation& operation, LaneMask mask) {
  for_each_lane(mask, [&](std::uint32_t lane) {
    warp.lanes<std::uint32_t>(operation.registers[kResult])[lane] =
        Mbarrier::pending_of(warp.lanes<std::uint64_t>(operation.registers[kPhase])[lane]);
  });
}

void run_test(Warp& warp, const Operation& operation, LaneMask mask) {
  LaneMask over = 0;
  const bool acquires = (operation.modifiers & kRelaxed) == 0;
  visit_objects(
      warp, operation, mask, AccessKind::kAtomic, [&](const Issuer& issuer, std::uint32_t address) {
        MbarrierTable& mbarriers = asynchronous_state(warp).mbarriers;
        const std::uint32_t phase = operation.registers[kPhase];
        const bool is_over =
            (operation.modifiers & kIsParity) != 0
                ? mbarriers.test_parity(issuer, address,
                                        warp.lanes<std::uint32_t>(phase)[issuer.lane], acquires)
                : mbarriers.test_token(issuer, address,
                                       warp.lanes<std::uint64_t>(phase)[issuer.lane], acquires);
        over |= LaneMask{is_over} << issuer.lane;
      });
  warp.set_predicate(operation.registers[kResult], over, mask);
  if (over != mask) warp.wait_elsewhere();
}

void run_copy_arrive(Warp& warp, const Operation& operation, LaneMask mask) {
  visit_objects(warp, operation, mask, AccessKind::kAtomic,
                [&](const Issuer& issuer, std::uint32_t address) {
                  AsynchronousState& state = asynchronous_state(warp);
                  // Without .noinc the arrival is one more than the mbarrier was told to expect.
                  if ((operation.modifiers & kCountsItself) != 0)
                    state.mbarriers.add_pending(issuer, address);
                  state.copies.arrive_when_done(issuer, address);
                });
}

AddressOperand object(Translator& translator, const Operand& operand, bool is_shared) {
  return translator.address(operand, is_shared ? AddressSpace::kShared : AddressSpace::kGeneric);
}

void translate_init(Translator& translator, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  translator.expect_operands(2);
  operation.addresses[0] = object(translator, instruction.operands[0], match.has(0));
  operation.registers[kCount] = translator.source(instruction.operands[1], 32);
  operation.handler = run_init;
}

void translate_invalidate(Translator& translator, const Instruction& instruction,
                          const Match& match, Operation& operation) {
  translator.expect_operands(1);
  operation.addresses[0] = object(translator, instruction.operands[0], match.has(0));
  operation.handler = run_invalidate;
}

// Groups: .relaxed, the scope, the space.
void translate_expect(Translator& translator, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  translator.expect_operands(2);
  operation.addresses[0] = object(translator, instruction.operands[0], match.has(2));
  operation.registers[kBytes] = translator.source(instruction.operands[1], 32);
  operation.handler = run_expect;
}

// Groups: which arrival, the order, the scope, the space. Operands: token, [object][, count or
// bytes].
void translate_arrive(Translator& translator, const Instruction& instruction, const Match& match,
                      Operation& operation) {
  const bool expects = match[0].ends_with(".expect_tx");
  translator.expect_operands(expects ? 3 : 2, 3);
  if (instruction.operands[0].kind != Operand::Kind::kDiscard)
    operation.registers[kResult] = translator.destination(instruction.operands[0], 64);
  operation.addresses[0] = object(translator, instruction.operands[1], match.has(3));
  if (instruction.operands.size() == 3)
    operation.registers[expects ? kBytes : kCount] = translator.source(instruction.operands[2], 32);
  if (match[0].starts_with("arrive_drop")) operation.modifiers |= kDrops;
  if (match[1] == ".relaxed") operation.modifiers |= kRelaxed;
  operation.handler = run_arrive;
}

void translate_pending_count(Translator& translator, const Instruction& instruction,
                             const Match& /*match*/, Operation& operation) {
  translator.expect_operands(2);
  operation.registers[kResult] = translator.destination(instruction.operands[0], 32);
  operation.registers[kPhase] = translator.source(instruction.operands[1], 64);
  operation.handler = run_pending_count;
}

// Groups: test or try, .parity, the order, the scope, the space.
void translate_test(Translator& translator, const Instruction& instruction, const Match& match,
                    Operation& operation) {
  translator.expect_operands(3, match[0] == "try_wait" ? 4 : 3);
  operation.registers[kResult] = translator.destination(instruction.operands[0], 1);
  operation.addresses[0] = object(translator, instruction.operands[1], match.has(4));
  operation.registers[kPhase] = translator.source(instruction.operands[2], match.has(1) ? 32 : 64);
  if (match.has(1)) operation.modifiers |= kIsParity;
  if (match[2] == ".relaxed") operation.modifiers |= kRelaxed;
  operation.flow = Flow::kPoll;
  operation.handler = run_test;
}

// Groups: .noinc, the space.
void translate_copy_arrive(Translator& translator, const Instruction& instruction,
                           const Match& match, Operation& operation) {
  translator.expect_operands(1);
  operation.addresses[0] = object(translator, instruction.operands[0], match.has(1));
  if (!match.has(0)) operation.modifiers |= kCountsItself;
  operation.handler = run_copy_arrive;
}

}  // namespace

void add_mbarriers(OpcodeTable& table) {
  table.add("mbarrier.init[.shared|.shared::cta].b64", translate_init);
  table.add("mbarrier.inval[.shared|.shared::cta].b64", translate_invalidate);
  table.add(
      "mbarrier.expect_tx[.relaxed][.cta|.cluster][.shared|.shared::cta|.shared::cluster].b64",
      translate_expect);
  table.add(
      "mbarrier.(arrive|arrive.expect_tx|arrive_drop|arrive_drop.expect_tx)[.release|.relaxed]"
      "[.cta|.cluster][.shared|.shared::cta|.shared::cluster].b64",
      translate_arrive);
  table.add("mbarrier.pending_count.b64", translate_pending_count);
  table.add(
      "mbarrier.(test_wait|try_wait)[.parity][.acquire|.relaxed][.cta|.cluster]"
      "[.shared|.shared::cta].b64",
      translate_test);
  table.add("cp.async.mbarrier.arrive[.noinc][.shared|.shared::cta].b64", translate_copy_arrive);
}

}  // namespace lodestone::ptx
