#pragma once
// The mbarriers of a block, by the address of the object in shared memory, with what passing them
// lets a thread know.
#include <map>

#include "tests/gpu/emulator/issuer.h"
#include "tests/gpu/emulator/mbarrier.h"
#include "tests/gpu/emulator/race_checker.h"

namespace lodestone::ptx {

class MbarrierTable {
 public:
  explicit MbarrierTable(RaceChecker* checker) : checker_(checker) {}

  struct Arrival {
    std::uint32_t count = 1;
    std::uint32_t expected_bytes = 0;
    bool drops = false;
    bool releases = true;
  };

  // Misuse is a finding of the issuer's.
  void init(const Issuer& issuer, std::uint32_t address, std::uint32_t count);
  void invalidate(const Issuer& issuer, std::uint32_t address);
  void expect_tx(const Issuer& issuer, std::uint32_t address, std::uint32_t bytes);
  void complete_tx(const Issuer& issuer, std::uint32_t address, std::uint32_t bytes);
  void add_pending(const Issuer& issuer, std::uint32_t address);
  // Answers the token of the phase that was current.
  std::uint64_t arrive(const Issuer& issuer, std::uint32_t address, const Arrival& arrival);
  // Whether the phase is over; if so and `acquires`, the issuer knows what those that arrived knew.
  bool test_parity(const Issuer& issuer, std::uint32_t address, std::uint32_t parity,
                   bool acquires);
  bool test_token(const Issuer& issuer, std::uint32_t address, std::uint64_t token, bool acquires);
  // Reports unless there is one.
  void expect_initialised(const Issuer& issuer, std::uint32_t address) { entry(issuer, address); }

  // An actor has written for this mbarrier: the time of that, known to those that pass it later.
  // Only with a race checker.
  struct Act {
    ThreadId actor = 0;
    Time time = 0;
  };
  Act act(const Issuer& issuer, std::uint32_t address);

 private:
  struct Entry {
    Mbarrier state;
    std::uint32_t number = 0;
    SyncClock arriving;   // of those that have arrived so far
    SyncClock completed;  // of those that had when the last phase ended
  };
  Entry& entry(const Issuer& issuer, std::uint32_t address);
  // Reports the fault, if any, and ends the phase if it is over.
  void settle(const Issuer& issuer, Entry& entry, std::uint64_t phase_before,
              std::string_view fault);
  bool pass(const Issuer& issuer, const Entry& entry, bool is_over, bool acquires);

  RaceChecker* checker_;
  std::map<std::uint32_t, Entry> entries_;
  std::uint32_t next_number_ = 0;
};

}  // namespace lodestone::ptx
