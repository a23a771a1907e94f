#pragma once
// The ways in which CUDA computes attention, and what they have in common on the host.
#include <string>

#include "engine/core/cuda.h"
#include "engine/core/error.h"
#include "kernels/attention.h"

namespace lodestone::kernels {

void attention_forward_bf16(const AttentionForwardArgs& args, CudaStream& stream);
void attention_forward_plain(const AttentionForwardArgs& args, CudaStream& stream);

// Whether the bf16 kernels take all of these rows: head sizes 32, 64 and 128, 16 bytes at a time.
bool takes_tensor_cores(const AttentionForwardArgs& args);
bool takes_tensor_cores(const AttentionBackwardArgs& args);

// The backward passes find the QueryTerms in the workspace.
void attention_query_terms(const AttentionBackwardArgs& args, CudaStream& stream);
void attention_backward_keys_bf16(const AttentionBackwardArgs& args, CudaStream& stream);
void attention_backward_queries_bf16(const AttentionBackwardArgs& args, CudaStream& stream);
void attention_backward_keys_plain(const AttentionBackwardArgs& args, CudaStream& stream);
void attention_backward_queries_plain(const AttentionBackwardArgs& args, CudaStream& stream);

// Calls f.operator()<kHeadSize>() for the head sizes that takes_tensor_cores() lets through.
template <class F>
void visit_head_size(const AttentionLayout& layout, F&& f) {
  switch (layout.head_size) {
    case 32:
      return f.template operator()<32>();
    case 64:
      return f.template operator()<64>();
    case 128:
      return f.template operator()<128>();
    default:
      throw_error(ErrorKind::kInvalidArgument,
                  "attention: bf16 heads on CUDA have 32, 64 or 128 columns, got " +
                      std::to_string(layout.head_size));
  }
}

// Launches a kernel with a block per tile of every item, each with so much dynamic shared memory.
template <class Args>
void launch_attention(void (*kernel)(Args), const Args& args, std::int64_t tiles, int threads,
                      int shared_bytes, CudaStream& stream) {
  const std::int64_t blocks = args.layout.cells * args.layout.heads * tiles;
  if (blocks == 0) return;
  if (blocks > 2147483647)
    throw_error(ErrorKind::kInvalidArgument,
                "attention: " + std::to_string(blocks) + " tiles are more than one launch has");
  if (shared_bytes > 48 * 1024)
    cuda_check(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads),
           static_cast<std::size_t>(shared_bytes), stream.native()>>>(args);
  cuda_check(cudaGetLastError());
}

}  // namespace lodestone::kernels
