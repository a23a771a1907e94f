#pragma once
// cp.async.bulk and its tensor and reduction forms: what the copy engine does for a thread.
//
// A load ends at some time after it began and tells its mbarrier. A store or reduction has read
// shared memory when a wait_group.read lets its thread go on, and has written when a wait_group
// does. The bytes move as late as that.
#include <deque>
#include <optional>
#include <vector>

#include "tests/gpu/emulator/mbarrier_table.h"
#include "tests/gpu/emulator/tensor_map.h"

namespace lodestone::ptx {

enum class ReductionKind : std::uint8_t {
  kReplace,
  kAdd,
  kMin,
  kMax,
  kIncrement,
  kDecrement,
  kAnd,
  kOr,
  kXor
};
enum class ReductionType : std::uint8_t {
  kU32,
  kS32,
  kU64,
  kS64,
  kHalf,
  kBfloat16,
  kFloat,
  kDouble
};

struct Reduction {
  ReductionKind kind = ReductionKind::kReplace;
  ReductionType type = ReductionType::kU32;
};

// to = to (op) from, element by element; `bytes` is a multiple of the element's size.
void reduce_bytes(Reduction reduction, std::byte* to, const std::byte* from, std::size_t bytes);

struct BulkCopy {
  Issuer issuer;
  std::uint32_t shared = 0;
  std::uint64_t global = 0;  // without a tensor map
  std::uint32_t bytes = 0;   // in shared memory
  std::optional<TensorMap> map;
  std::array<std::int32_t, kMaximumRank> coordinates{};
  std::uint32_t mbarrier = 0;  // of a load
  Reduction reduction;         // of a store
  bool has_read = false;       // of a store: shared memory
};

class BulkCopies {
 public:
  BulkCopies(std::uint32_t threads, MbarrierTable& mbarriers, RaceChecker* checker)
      : threads_(threads), mbarriers_(mbarriers), checker_(checker) {}

  // Both check bounds, alignment and races of what the copy will touch.
  void begin_load(const BulkCopy& copy);
  void begin_store(const BulkCopy& copy);
  void commit(std::uint32_t thread);
  // Until at most that many of the thread's groups are under way, or still have to read.
  void wait(Block& block, std::uint32_t thread, std::size_t groups, bool only_reads);

  // Ends one load; false when there is none.
  bool advance(Block& block, std::uint64_t choice);
  // A copy that still reads or writes the block's shared memory is a finding.
  void end(Block& block);

 private:
  using Group = std::vector<BulkCopy>;
  struct OfThread {
    Group open;
    std::deque<Group> committed;
  };
  void check_global(const BulkCopy& copy, AccessKind kind) const;
  void finish_load(Block& block, const BulkCopy& copy);
  void finish_reading(Block& block, BulkCopy& copy);
  void finish_writing(const BulkCopy& copy);

  std::vector<BulkCopy> loads_;
  std::vector<OfThread> threads_;
  MbarrierTable& mbarriers_;
  RaceChecker* checker_;
};

}  // namespace lodestone::ptx
