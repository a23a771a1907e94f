#include "tests/gpu/emulator/mbarrier_table.h"

#include "tests/gpu/emulator/block.h"

namespace lodestone::ptx {

MbarrierTable::Entry& MbarrierTable::entry(const Issuer& issuer, std::uint32_t address) {
  const auto place = entries_.find(address);
  if (place == entries_.end())
    issuer.report(FindingKind::kAsynchronous, "mbarrier used without an mbarrier.init");
  return place->second;
}

void MbarrierTable::settle(const Issuer& issuer, Entry& entry, std::uint64_t phase_before,
                           std::string_view fault) {
  if (!fault.empty()) issuer.report(FindingKind::kAsynchronous, std::string(fault));
  issuer.warp->block().note_progress();
  if (entry.state.phase() != phase_before) entry.completed = entry.arriving;
}

void MbarrierTable::init(const Issuer& issuer, std::uint32_t address, std::uint32_t count) {
  if (entries_.contains(address))
    issuer.report(FindingKind::kAsynchronous,
                  "mbarrier.init of an mbarrier in use, without mbarrier.inval before");
  Entry& made = entries_[address];
  made.number = next_number_++;
  settle(issuer, made, 0, made.state.init(count));
}

void MbarrierTable::invalidate(const Issuer& issuer, std::uint32_t address) {
  entry(issuer, address);
  entries_.erase(address);
}

void MbarrierTable::expect_tx(const Issuer& issuer, std::uint32_t address, std::uint32_t bytes) {
  Entry& known = entry(issuer, address);
  settle(issuer, known, known.state.phase(), known.state.expect_tx(bytes));
}

void MbarrierTable::complete_tx(const Issuer& issuer, std::uint32_t address, std::uint32_t bytes) {
  Entry& known = entry(issuer, address);
  const std::uint64_t phase = known.state.phase();
  settle(issuer, known, phase, known.state.complete_tx(bytes));
}

void MbarrierTable::add_pending(const Issuer& issuer, std::uint32_t address) {
  Entry& known = entry(issuer, address);
  settle(issuer, known, known.state.phase(), known.state.add_pending());
}

std::uint64_t MbarrierTable::arrive(const Issuer& issuer, std::uint32_t address,
                                    const Arrival& arrival) {
  Entry& known = entry(issuer, address);
  const std::uint64_t phase = known.state.phase();
  const std::uint64_t token = known.state.token();
  if (checker_ != nullptr && arrival.releases)
    checker_->clocks().release(issuer.thread(), known.arriving);
  if (arrival.expected_bytes != 0)
    settle(issuer, known, phase, known.state.expect_tx(arrival.expected_bytes));
  settle(issuer, known, phase,
         arrival.drops ? known.state.arrive_and_drop(arrival.count)
                       : known.state.arrive(arrival.count));
  return token;
}

bool MbarrierTable::pass(const Issuer& issuer, const Entry& entry, bool is_over, bool acquires) {
  if (is_over && acquires && checker_ != nullptr)
    checker_->clocks().acquire(issuer.thread(), entry.completed);
  return is_over;
}

bool MbarrierTable::test_parity(const Issuer& issuer, std::uint32_t address, std::uint32_t parity,
                                bool acquires) {
  const Entry& known = entry(issuer, address);
  return pass(issuer, known, known.state.parity_completed(parity), acquires);
}

bool MbarrierTable::test_token(const Issuer& issuer, std::uint32_t address, std::uint64_t token,
                               bool acquires) {
  const Entry& known = entry(issuer, address);
  return pass(issuer, known, known.state.token_phase_completed(token), acquires);
}

MbarrierTable::Act MbarrierTable::act(const Issuer& issuer, std::uint32_t address) {
  Entry& known = entry(issuer, address);
  const ThreadId actor = checker_->clocks().mbarrier_actor(known.number);
  return {actor, checker_->clocks().act(actor, known.arriving)};
}

}  // namespace lodestone::ptx
