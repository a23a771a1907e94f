#pragma once
// Which algorithm each kind of product takes, in memory and in a small text file, so that a later
// run need not time them again and has the same bits.
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace lodestone::kernels {

// What a cublasLtMatmulAlgo_t holds: of meaning to one version of the library only.
using Algorithm = std::array<std::uint64_t, 8>;

class AlgorithmChoices {
 public:
  // In memory alone.
  AlgorithmChoices() = default;
  // And in `file`. `owner` names the device and the library's version. A file of another owner or a
  // damaged one is left unread, which a warning says, and written anew.
  AlgorithmChoices(std::filesystem::path file, std::string owner);

  // Null for what was never added. `product` names a kind of product, without spaces.
  const Algorithm* find(const std::string& product) const;
  // Adds to memory and to the file, which another process may have added to since; a file that
  // cannot be written is worth a warning only.
  void add(const std::string& product, const Algorithm& algorithm);

 private:
  bool read();  // false where the file cannot be used
  void write() const;

  std::filesystem::path file_;
  std::string owner_;
  std::map<std::string, Algorithm> choices_;
};

}  // namespace lodestone::kernels
