#pragma once
// Kernels of one instruction each, written in PTX. Every thread takes its operands from 32-bit
// words and puts its results into words, so that one test runs them all and one file records them
// all.
#include <cstdint>
#include <string>
#include <vector>

namespace lodestone::gpu_tests {

// How many words hold a T; what is shorter than a word lies in the low end of one.
template <class T>
inline constexpr int kWordsOf = (sizeof(T) + 3) / 4;

struct ConformanceKernel {
  std::string name;                 // the instruction
  int words_in = 0, words_out = 0;  // of a thread
  // Thread i reads inputs[i][words_in] and writes results[i][words_out], in blocks of one warp.
  // threads: a multiple of 32, at most kMostConformanceThreads
  void (*launch)(std::uint32_t* results, const std::uint32_t* inputs, int threads) = nullptr;
};

inline constexpr int kMostConformanceThreads = 1024;

std::vector<ConformanceKernel> float_kernels();
std::vector<ConformanceKernel> approximation_kernels();
std::vector<ConformanceKernel> conversion_kernels();
std::vector<ConformanceKernel> integer_kernels();
std::vector<ConformanceKernel> warp_kernels();
std::vector<ConformanceKernel> atomic_kernels();
std::vector<ConformanceKernel> matrix_kernels();

}  // namespace lodestone::gpu_tests
