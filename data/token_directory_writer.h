#pragma once
// Writes a token directory (data/token_directory.h).
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "model/batch.h"

namespace lodestone {

// All of a token directory's cells but their tokens and values. It fixes where every byte will lie,
// so cells are written once, to their place, in any order.
struct TokenPlan {
  std::vector<std::int32_t> lengths;  // [cells] tokens, at least 1
  std::vector<Species> species;       // [cells]
  std::vector<std::string> cell_ids;  // [cells]
  std::vector<ObsColumn> obs;         // a code per cell
};

class TokenDirectoryWriter {
 public:
  struct Options {
    std::int64_t cells_per_shard = 65536;  // a shard is kept open until the end
    std::uint64_t seed = 0;                // cells are shuffled over all shards by it
    std::int64_t vocabulary_size = 0;
  };
  // Makes the shards in an existing folder; `made`: opens those that an earlier writer made there
  // for the same options and plan. Throws kInvalidArgument for a plan that cannot be written and
  // kBadInput for shards of another one.
  TokenDirectoryWriter(const std::filesystem::path& folder, const Options& options, TokenPlan plan,
                       bool made = false);
  ~TokenDirectoryWriter();

  // The tokens of cell number `cell` of the plan, ranked by value. From any thread. Returns a
  // digest of them and of the cell's number.
  std::uint64_t put(std::int64_t cell, std::span<const std::uint32_t> tokens,
                    std::span<const float> values);
  // Returns when all that was put is on the disk. From any thread.
  void sync() const;
  // The sum, modulo 2^64, of the digests of the cells [0, end), as they are read back.
  std::uint64_t digest_of(std::int64_t end) const;
  // Every cell was put. Writes the manifest; `manifest_json` is an object to which format, cells,
  // tokens, shards with hashes are added.
  void finish(const std::string& manifest_json);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lodestone
