#pragma once
// A stand-in for cuBLASLt that multiplies on the host, by the library's own conventions: matrices
// by columns, epilogues by rows of the result. It knows three algorithms.
#include <cstdint>
#include <map>
#include <vector>

namespace lodestone::testing {

struct CublasLtStandIn {
  int guesses = 0;                          // times that algorithms were asked for
  std::vector<std::uint64_t> algorithms{};  // of each product, in order
  int last_compute_type = 0;
  std::map<int, std::uint64_t> preferences{};  // of the last guess
  bool knows_no_algorithm = false;
  bool fails = false;    // every product
  int milliseconds = 0;  // that every algorithm but the second takes longer
};
CublasLtStandIn& stand_in();

}  // namespace lodestone::testing
