#include "data/block_spool.h"

#include <array>
#include <span>
#include <vector>

#include "engine/core/check.h"
#include "engine/io/files.h"

namespace lodestone {
namespace {

// Before every block: its cells and entries. Then its offsets, genes and counts.
using Head = std::array<std::int64_t, 2>;

template <class T>
std::uint64_t digest_of(const std::vector<T>& numbers, std::int64_t block) {
  return digest_bytes(std::as_bytes(std::span(numbers)), static_cast<std::uint64_t>(block));
}

void move_on(SpoolMark& mark, const CellBlock& block, std::uint64_t bytes) {
  mark.digest += digest_of(block.offsets, mark.blocks) + digest_of(block.genes, mark.blocks) +
                 digest_of(block.counts, mark.blocks);
  ++mark.blocks;
  mark.cells += block.cells();
  mark.entries += static_cast<std::int64_t>(block.genes.size());
  mark.bytes = bytes;
}

}  // namespace

void BlockSpool::append(const CellBlock& block) {
  std::uint64_t at = mark_.bytes;
  const auto put = [&](std::span<const std::byte> bytes) {
    file_.write(at, bytes);
    at += bytes.size();
  };
  const Head head = {block.cells(), static_cast<std::int64_t>(block.genes.size())};
  put(std::as_bytes(std::span(head)));
  put(std::as_bytes(std::span(block.offsets)));
  put(std::as_bytes(std::span(block.genes)));
  put(std::as_bytes(std::span(block.counts)));
  move_on(mark_, block, at);
}

CellBlock BlockSpool::read(SpoolMark& mark) const {
  std::uint64_t at = mark.bytes;
  const auto take = [&](auto numbers) {
    file_.read(at, std::as_writable_bytes(numbers));
    at += numbers.size_bytes();
  };
  Head head{};
  take(std::span(head));
  const std::int64_t most = static_cast<std::int64_t>(file_.size() / sizeof(float));
  check_input(head[0] >= 0 && head[0] <= most && head[1] >= 0 && head[1] <= most,
              "block {} of a spool announces {} cells and {} entries", mark.blocks, head[0],
              head[1]);
  CellBlock block;
  block.first_cell = mark.cells;
  block.offsets.resize(static_cast<std::size_t>(head[0]) + 1);
  block.genes.resize(static_cast<std::size_t>(head[1]));
  block.counts.resize(static_cast<std::size_t>(head[1]));
  take(std::span(block.offsets));
  take(std::span(block.genes));
  take(std::span(block.counts));
  move_on(mark, block, at);
  return block;
}

bool BlockSpool::continue_from(const SpoolMark& mark) {
  SpoolMark found;
  try {
    while (found.blocks < mark.blocks) read(found);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) throw;
  }
  const bool is_it = found.digest == mark.digest && found.bytes == mark.bytes;
  mark_ = is_it ? mark : SpoolMark{};
  file_.resize(mark_.bytes);
  return is_it;
}

}  // namespace lodestone
