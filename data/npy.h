#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace lodestone {

struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> values;  // [rows, columns]
};

// A two-dimensional array of little-endian float32 or float64 in row-major order, as numpy.save
// writes it (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Throws
// kBadInput for anything else.
Matrix read_npy(const std::filesystem::path& path);

}  // namespace lodestone
