#pragma once
// Blocks of cells kept in one file until what they become is written.
#include <cstdint>
#include <filesystem>

#include "data/cell_source.h"
#include "engine/io/positioned_file.h"

namespace lodestone {

// How far a spool goes: enough to continue it, and to know it again.
struct SpoolMark {
  std::int64_t blocks = 0, cells = 0, entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t digest = 0;  // sum, modulo 2^64, of those of the blocks
};

class BlockSpool {
 public:
  explicit BlockSpool(const std::filesystem::path& path)
      : file_(path, PositionedFile::Access::kUpdate) {}

  const SpoolMark& mark() const { return mark_; }
  void append(const CellBlock& block);
  void sync() const { file_.sync(); }
  // Continues after `mark`, leaving out what comes after it. False, and the spool is empty, when
  // the file does not hold what the mark says.
  bool continue_from(const SpoolMark& mark);
  // Calls use(block) for all blocks, in order.
  template <class Use>
  void for_each(Use&& use) const {
    SpoolMark at;
    while (at.blocks < mark_.blocks) use(read(at));
  }

 private:
  CellBlock read(SpoolMark& at) const;  // the block after `at`, which moves on
  PositionedFile file_;
  SpoolMark mark_;
};

}  // namespace lodestone
