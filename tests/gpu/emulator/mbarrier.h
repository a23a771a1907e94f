#pragma once
// The state machine of an mbarrier object (PTX ISA, "mbarrier"): a phase completes when all
// expected arrivals have come and all announced bytes have been written.
#include <cstdint>
#include <string_view>

namespace lodestone::ptx {

class Mbarrier {
 public:
  static constexpr std::int64_t kMaximumCount = (1 << 20) - 1;

  // Every operation answers what is wrong with it, or nothing.
  [[nodiscard]] std::string_view init(std::uint32_t count);
  [[nodiscard]] std::string_view expect_tx(std::uint32_t bytes);
  [[nodiscard]] std::string_view complete_tx(std::uint32_t bytes);
  [[nodiscard]] std::string_view arrive(std::uint32_t count);
  // Arrives, and is expected no more in later phases.
  [[nodiscard]] std::string_view arrive_and_drop(std::uint32_t count);
  // One more arrival of the current phase (cp.async.mbarrier.arrive without .noinc).
  [[nodiscard]] std::string_view add_pending();

  // The token that arrive returns: the phase and the pending arrivals before it.
  std::uint64_t token() const { return phase_ << 20 | pending_; }
  bool token_phase_completed(std::uint64_t token) const { return phase_ != token >> 20; }
  static std::uint32_t pending_of(std::uint64_t token) { return token & kMaximumCount; }
  // True while the phase of the other parity is the current one: "the phase of this parity is
  // over".
  bool parity_completed(std::uint32_t parity) const { return (phase_ & 1) != (parity & 1); }

  std::uint64_t phase() const { return phase_; }
  std::uint32_t expected() const { return expected_; }
  std::uint32_t pending() const { return pending_; }
  std::int64_t transactions() const { return transactions_; }

 private:
  void complete_phase_if_due();

  std::uint64_t phase_ = 0;
  std::uint32_t expected_ = 0;
  std::uint32_t pending_ = 0;
  std::int64_t transactions_ = 0;
};

}  // namespace lodestone::ptx
