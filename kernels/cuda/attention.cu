// Attention on CUDA goes to the kernels of its type, once it is known that they can take it.
#include <string>

#include "kernels/attention.h"
#include "kernels/cuda/attention_item.cuh"
#include "kernels/cuda/attention_passes.h"

namespace lodestone::kernels {

namespace {

// Tensor-core kernels move 16 bytes at a time.
void check_aligned(const char* name, const void* data, std::int64_t stride) {
  if (reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 8 == 0) return;
  throw_error(ErrorKind::kInvalidArgument, std::string("attention: the bf16 rows of ") + name +
                                               " must be aligned to 16 bytes on CUDA; they are " +
                                               std::to_string(stride) + " elements apart");
}

void check_layout(const AttentionLayout& layout) {
  if (layout.dtype != DType::kF32 && layout.dtype != DType::kBf16)
    throw_error(ErrorKind::kInvalidArgument,
                "attention: " + std::string(name_of(layout.dtype)) + " has no CUDA kernel here");
  if (layout.dtype == DType::kF32 && layout.head_size > 128)
    throw_error(ErrorKind::kInvalidArgument,
                "attention: f32 heads on CUDA have up to 128 columns, got " +
                    std::to_string(layout.head_size));
}

template <class Args>
void check_inputs(const Args& args) {
  check_layout(args.layout);
  if (args.layout.dtype == DType::kF32) return;
  check_aligned("queries", args.queries.data, args.queries.stride);
  check_aligned("keys", args.keys.data, args.keys.stride);
  check_aligned("values", args.values.data, args.values.stride);
  check_aligned("y", args.y, args.layout.heads * args.layout.head_size);
}

}  // namespace

std::int64_t attention_forward_workspace(const AttentionLayout&, CudaStream&) {
  return 0;
}

std::int64_t attention_backward_workspace(const AttentionLayout& layout, CudaStream&) {
  return layout.cells * layout.heads * query_terms_of_item(layout) *
         static_cast<std::int64_t>(sizeof(QueryTerms));
}

void run(const AttentionForwardArgs& args, CudaStream& stream) {
  check_inputs(args);
  if (args.layout.dtype == DType::kF32) return attention_forward_f32(args, stream);
  attention_forward_bf16(args, stream);
}

void run(const AttentionBackwardArgs& args, CudaStream& stream) {
  check_inputs(args);
  const bool is_f32 = args.layout.dtype == DType::kF32;
  if (!is_f32) {
    check_aligned("dy", args.dy, args.layout.heads * args.layout.head_size);
    check_aligned("dqueries", args.dqueries.data, args.queries.stride);
    check_aligned("dkeys", args.dkeys.data, args.keys.stride);
    check_aligned("dvalues", args.dvalues.data, args.values.stride);
  }
  attention_query_terms(args, stream);
  if (args.dkeys.data)
    is_f32 ? attention_backward_keys_f32(args, stream) : attention_backward_keys_bf16(args, stream);
  if (args.dqueries.data)
    is_f32 ? attention_backward_queries_f32(args, stream)
           : attention_backward_queries_bf16(args, stream);
}

}  // namespace lodestone::kernels
