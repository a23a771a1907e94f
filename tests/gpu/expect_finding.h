#pragma once
// What the instrument must say, or not say, about a launch.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/gpu/runtime/findings.h"

namespace lodestone::testing {

struct ExpectedFinding {
  ptx::FindingKind kind;
  std::string text;  // part of the message
};

// The launch must end with one of these. (Which of them comes first may depend on the schedule.)
inline void expect_finding(const std::vector<ExpectedFinding>& any_of,
                           const std::function<cudaError_t()>& launch) {
  static_cast<void>(launch());
  cudaDeviceSynchronize();
  const std::optional<ptx::Finding> finding = ptx::take_finding();
  if (!finding) FAIL() << "nothing was found; expected: " << any_of.front().text;
  const bool is_expected = std::any_of(
      any_of.begin(), any_of.end(), [&found = *finding](const ExpectedFinding& expected) {
        return found.kind == expected.kind &&
               found.message.find(expected.text) != std::string::npos;
      });
  EXPECT_TRUE(is_expected) << "expected: " << any_of.front().text << "; found: " << finding->text();
}

inline void expect_finding(ptx::FindingKind kind, const std::string& text,
                           const std::function<cudaError_t()>& launch) {
  expect_finding({{kind, text}}, launch);
}

inline void expect_no_finding(const std::function<cudaError_t()>& launch) {
  EXPECT_EQ(launch(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::optional<ptx::Finding> finding = ptx::take_finding();
  if (finding) ADD_FAILURE() << finding->text();
}

}  // namespace lodestone::testing
