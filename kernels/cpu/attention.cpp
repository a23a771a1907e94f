// Attention goes to the best passes that the processor has.
#include "kernels/attention.h"

#include "kernels/cpu/attention_passes.h"

namespace lodestone::kernels {

namespace {

AttentionPasses passes_for(const AttentionLayout& layout) {
  const AttentionPasses* avx512 = avx512_attention(layout.dtype);
  return avx512 ? *avx512 : portable_attention();
}

}  // namespace

std::int64_t attention_forward_workspace(const AttentionLayout& layout, CpuStream&) {
  return passes_for(layout).workspace(layout, false);
}

std::int64_t attention_backward_workspace(const AttentionLayout& layout, CpuStream&) {
  return passes_for(layout).workspace(layout, true);
}

void run(const AttentionForwardArgs& args, CpuStream&) {
  passes_for(args.layout).forward(args);
}

void run(const AttentionBackwardArgs& args, CpuStream&) {
  passes_for(args.layout).backward(args);
}

}  // namespace lodestone::kernels
