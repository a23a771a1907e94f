#include "tests/gpu/emulator/mbarrier.h"

namespace lodestone::ptx {

std::string_view Mbarrier::init(std::uint32_t count) {
  if (count == 0 || count > kMaximumCount) return "mbarrier.init with a count outside 1..1048575";
  *this = Mbarrier();
  expected_ = pending_ = count;
  return {};
}

std::string_view Mbarrier::expect_tx(std::uint32_t bytes) {
  if (transactions_ + bytes > kMaximumCount)
    return "mbarrier: more than 1048575 bytes expected in one phase";
  transactions_ += bytes;
  return {};
}

std::string_view Mbarrier::complete_tx(std::uint32_t bytes) {
  if (transactions_ - static_cast<std::int64_t>(bytes) < -kMaximumCount)
    return "mbarrier: more than 1048575 bytes completed beyond those expected";
  transactions_ -= bytes;
  complete_phase_if_due();
  return {};
}

std::string_view Mbarrier::arrive(std::uint32_t count) {
  if (count == 0) return "mbarrier: an arrival with count 0";
  if (count > pending_) return "mbarrier: more arrivals than its count in one phase";
  pending_ -= count;
  complete_phase_if_due();
  return {};
}

std::string_view Mbarrier::arrive_and_drop(std::uint32_t count) {
  if (count > expected_) return "mbarrier: more arrivals dropped than are expected";
  expected_ -= count;
  return arrive(count);
}

std::string_view Mbarrier::add_pending() {
  if (pending_ == kMaximumCount) return "mbarrier: more than 1048575 pending arrivals";
  ++pending_;
  return {};
}

void Mbarrier::complete_phase_if_due() {
  if (pending_ != 0 || transactions_ != 0) return;
  ++phase_;
  pending_ = expected_;
}

}  // namespace lodestone::ptx
