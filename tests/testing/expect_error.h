#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/core/error.h"

namespace lodestone::testing {

// body() must throw an Error of this kind whose message contains `text`.
template <class Body>
void expect_error(ErrorKind kind, const std::string& text, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
    return;
  }
  ADD_FAILURE() << "nothing was thrown; expected: " << text;
}

}  // namespace lodestone::testing
