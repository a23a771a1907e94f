#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/peaks.h"

namespace lodestone::bench {

// What one run of a row computes and moves, at least: FLOPs of products (2 a multiply-add), bytes
// of memory that must be read or written once.
struct Work {
  double flops = 0, bytes = 0;
  double cells = 0, tokens = 0;
};

// Which peak a row is held against.
enum class Roof : std::uint8_t { kNone, kCopy, kMultipliesF32, kMultipliesBf16 };

// One line of the result.
struct Row {
  std::string name = {};  // "attention/mix/backward/bf16"; unique
  Timing timing = {};
  Work work = {};
  Roof roof = Roof::kNone;
  double share_of_library = 0;  // the product library's own time for the row's products, of ours
  double share_of_step = 0;     // of a phase
  int ops = 0;                  // of a phase: how often it comes, each at least one launch
  double device_bytes = 0;      // most memory of the device in use at once

  // Of the roof: 1 is the peak; 0 without a roof.
  double share(const Peaks& peaks) const;
};

nlohmann::ordered_json to_json(const Row& row, const Peaks& peaks);
nlohmann::ordered_json to_json(const Peaks& peaks);

// The roof of products in that dtype.
Roof multiplies(DType dtype);

}  // namespace lodestone::bench
