#pragma once
// The three ways in which an .h5ad file stores a matrix of cells x genes.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/cell_source.h"
#include "engine/io/hdf5.h"

namespace lodestone {

class StoredMatrix {
 public:
  virtual ~StoredMatrix() = default;
  virtual std::int64_t cells() const = 0;
  virtual std::int64_t genes() const = 0;
  virtual const char* layout() const = 0;  // "csr", "csc" or "dense"
  // Cells whose entries take a bounded amount of memory to read.
  virtual std::int64_t block_cells() const = 0;
  // Cells [begin, end) as they are stored: any values; sparse layouts may hold zeros, and genes in
  // any order and twice. Genes are checked to be in range.
  virtual CellBlock read(std::int64_t begin, std::int64_t end) = 0;
  // Values from places spread over the whole matrix.
  virtual std::vector<float> sample() const = 0;
};

// Checks shapes and offsets; throws kBadInput naming the file, the object and what is wrong.
// Every block of a matrix that is stored by genes takes a pass over all of it, and so many bytes.
inline constexpr std::int64_t kGatheredBytes = std::int64_t{256} << 20;
std::unique_ptr<StoredMatrix> open_matrix(const hdf5::Group& root, const std::string& name,
                                          std::int64_t gathered_bytes = kGatheredBytes);

}  // namespace lodestone
