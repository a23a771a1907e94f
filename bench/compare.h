#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace lodestone::bench {

struct Comparison {
  struct Line {
    std::string name;
    double before = 0, after = 0;  // seconds
    double ratio() const { return after / before; }
  };
  std::vector<Line> lines;                    // rows of both, in the order of the first
  std::vector<std::string> removed, added;    // rows of one alone
  std::vector<std::string> other_conditions;  // "threads: 2, then 4", where the two runs differ
};

// Two results of `lodestone bench --out`. Throws kBadInput for files that are none.
Comparison compare(const std::filesystem::path& before, const std::filesystem::path& after);

}  // namespace lodestone::bench
