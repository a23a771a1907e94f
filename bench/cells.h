#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/loader.h"
#include "data/token_directory.h"

namespace lodestone::bench {

// A new folder that goes with all it holds at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Writes a token directory of cells with these numbers of genes, human and mouse in turn. Genes are
// drawn without replacement, some far more often than others.
void write_cells(const std::filesystem::path& path, const std::vector<std::int64_t>& lengths,
                 std::int64_t vocabulary, std::uint64_t seed);

// Every cell of a token directory as one global batch, masked.
GlobalBatch batch_of(const TokenDirectory& data, const LoaderConfig& config);

}  // namespace lodestone::bench
