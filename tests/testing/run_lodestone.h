#pragma once
// Runs the lodestone binary as a user does. CTest names it in LODESTONE_BINARY.
#include <string>
#include <vector>

namespace lodestone::testing {

struct Outcome {
  int exit = 0;
  std::string out, err;
};

// `environment`: assignments in front of the command ("LODESTONE_SEED=3").
Outcome run_lodestone(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment = {});

bool have_lodestone();

}  // namespace lodestone::testing
