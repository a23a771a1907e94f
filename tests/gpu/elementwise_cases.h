#pragma once
// Ops that map one element to one element, on CUDA against the CPU. A Forward is {x, y, count,
// dtype}, a Backward {dy, saved, dx, count, dtype}.
#include <gtest/gtest.h>

#include "tests/gpu/device_array.h"
#include "tests/gpu/elements.h"

namespace lodestone::testing {

// None, less than a 16-byte access, whole ones, a tail, more than one block.
inline const std::vector<std::int64_t> kElementCounts = {0, 1, 7, 16, 2049, 5000};

// Every array begins `offset` elements after an aligned place.
template <class Forward, class T>
void check_elementwise_forward(std::int64_t count, std::int64_t offset) {
  const auto x = random_elements<T>(offset + count, 1);
  std::vector<T> expected(x.size(), T(NAN));
  run(Forward{x.data() + offset, expected.data() + offset, count, kDTypeOf<T>}, cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> x_there(x), y(std::ssize(x), T(NAN));
  run(Forward{x_there.data() + offset, y.data() + offset, count, kDTypeOf<T>}, stream);
  auto got = y.host();
  got.erase(got.begin(), got.begin() + offset);
  expected.erase(expected.begin(), expected.begin() + offset);
  EXPECT_LE(relative_error(got, expected), kRounding<T>) << count << " elements from " << offset;
}

// What is there before: NaN where it must not be read, ones where it is added to.
template <class Backward, class T>
void check_elementwise_backward(std::int64_t count, std::int64_t offset, bool accumulate) {
  const auto dy = random_elements<T>(offset + count, 2);
  const auto saved = random_elements<T>(offset + count, 3);
  std::vector<T> expected(dy.size(), T(1.0f));
  run(Backward{dy.data() + offset,
               saved.data() + offset,
               {expected.data() + offset, accumulate},
               count,
               kDTypeOf<T>},
      cpu_stream());
  CudaStream stream(0);
  DeviceArray<T> dy_there(dy), saved_there(saved), dx(std::ssize(dy), T(accumulate ? 1.0f : NAN));
  run(Backward{dy_there.data() + offset,
               saved_there.data() + offset,
               {dx.data() + offset, accumulate},
               count,
               kDTypeOf<T>},
      stream);
  auto got = dx.host();
  got.erase(got.begin(), got.begin() + offset);
  expected.erase(expected.begin(), expected.begin() + offset);
  EXPECT_LE(relative_error(got, expected), kRounding<T>) << count << " elements from " << offset;
}

template <class Forward, class Backward, class T>
void check_elementwise() {
  for (const std::int64_t count : kElementCounts)
    for (const std::int64_t offset : {0, 1}) {
      check_elementwise_forward<Forward, T>(count, offset);
      check_elementwise_backward<Backward, T>(count, offset, false);
      check_elementwise_backward<Backward, T>(count, offset, true);
    }
  CudaStream stream(0);
  DeviceArray<T> some(8, T(1.0f));  // nobody wants the gradient
  run(Backward{some.data(), some.data(), {}, 8, kDTypeOf<T>}, stream);
  EXPECT_TRUE(same_bits(some.host(), std::vector<T>(8, T(1.0f))));
}

}  // namespace lodestone::testing
