#pragma once
// cp.async: copies of 4, 8 or 16 bytes that a thread waits for by groups, or hands to an mbarrier.
// The bytes move when they are waited for, the latest moment that the hardware may take.
#include <deque>
#include <vector>

#include "tests/gpu/emulator/mbarrier_table.h"

namespace lodestone::ptx {

struct ThreadCopy {
  std::uint32_t shared = 0;
  const std::byte* source = nullptr;
  std::uint32_t bytes = 0;
  std::uint32_t source_bytes = 0;  // the rest is filled with zeros
};

class ThreadCopies {
 public:
  ThreadCopies(std::uint32_t threads, MbarrierTable& mbarriers, RaceChecker* checker)
      : threads_(threads), mbarriers_(mbarriers), checker_(checker) {}

  void begin(std::uint32_t thread, const ThreadCopy& copy) {
    threads_[thread].open.push_back(copy);
  }
  void commit(std::uint32_t thread);
  // Until at most that many of the thread's groups are under way.
  void wait(Block& block, std::uint32_t thread, std::size_t groups);
  // Of every copy, committed or not.
  void wait_all(Block& block, std::uint32_t thread);
  // All copies begun so far will arrive at the mbarrier when they are done.
  void arrive_when_done(const Issuer& issuer, std::uint32_t mbarrier);

  // Ends one set of copies that an mbarrier waits for; false when there is none.
  bool advance(Block& block, std::uint64_t choice);
  void end(Block& block);

 private:
  using Group = std::vector<ThreadCopy>;
  struct OfThread {
    Group open;
    std::deque<Group> committed;
  };
  struct Arrival {
    Issuer issuer;
    std::uint32_t mbarrier = 0;
    Group copies;
  };
  void arrive(Block& block, std::size_t index);
  void finish(Block& block, std::uint32_t issuer, ThreadId knower, Time time, const Group& group);

  std::vector<OfThread> threads_;
  std::vector<Arrival> arrivals_;
  MbarrierTable& mbarriers_;
  RaceChecker* checker_;
};

}  // namespace lodestone::ptx
