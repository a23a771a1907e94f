#pragma once
// The ways in which the CPU computes attention.
#include "kernels/attention.h"

namespace lodestone::kernels {

struct AttentionPasses {
  std::int64_t (*workspace)(const AttentionLayout& layout, bool backward);  // bytes
  void (*forward)(const AttentionForwardArgs& args);
  void (*backward)(const AttentionBackwardArgs& args);
};

// Any floating type, on any processor.
AttentionPasses portable_attention();
// f32, and bf16 in dot products of bf16 pairs. Null where the processor has no such instructions,
// and for other types.
const AttentionPasses* avx512_attention(DType dtype);

}  // namespace lodestone::kernels
