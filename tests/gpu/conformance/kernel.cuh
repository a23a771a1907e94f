#pragma once
// Makes a kernel on words of a device function.
#include "tests/gpu/conformance/kernels.h"

namespace lodestone::gpu_tests {

constexpr int kWarpSize = 32;

template <class T>
__device__ T take(const std::uint32_t*& words) {
  T value;
  memcpy(&value, words, sizeof(T));
  words += kWordsOf<T>;
  return value;
}

template <class T>
__device__ void put(std::uint32_t* words, const T& value) {
  std::uint32_t buffer[kWordsOf<T>]{};
  memcpy(buffer, &value, sizeof(T));
  for (int i = 0; i < kWordsOf<T>; ++i) words[i] = buffer[i];
}

// The result of a call whose arguments, in braces, are evaluated from left to right.
template <auto kFunction, class Result, class... Arguments>
struct OrderedCall {
  __device__ OrderedCall(Arguments... arguments) : result(kFunction(arguments...)) {}
  Result result;
};

template <auto kFunction, class Result, class... Arguments>
__global__ void on_words(std::uint32_t* results, const std::uint32_t* inputs) {
  const unsigned thread = blockIdx.x * kWarpSize + threadIdx.x;
  const std::uint32_t* words = inputs + thread * (kWordsOf<Arguments> + ... + 0);
  const OrderedCall<kFunction, Result, Arguments...> call{take<Arguments>(words)...};
  put(results + thread * kWordsOf<Result>, call.result);
}

template <auto kFunction, class Result, class... Arguments>
ConformanceKernel kernel_of(const char* name, Result (*)(Arguments...)) {
  return {name, (kWordsOf<Arguments> + ... + 0), kWordsOf<Result>,
          [](std::uint32_t* results, const std::uint32_t* inputs, int threads) {
            on_words<kFunction, Result, Arguments...>
                <<<static_cast<unsigned>(threads) / kWarpSize, kWarpSize>>>(results, inputs);
          }};
}

// A kernel of which each thread calls the function.
template <auto kFunction>
ConformanceKernel conformance_kernel(const char* name) {
  return kernel_of<kFunction>(name, kFunction);
}

}  // namespace lodestone::gpu_tests
