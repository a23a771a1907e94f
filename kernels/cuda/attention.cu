// Attention on CUDA goes to the tensor cores where they can take it, to the plain kernels
// elsewhere.
#include <cstdint>
#include <string>

#include "kernels/attention.h"
#include "kernels/cuda/attention_item.cuh"
#include "kernels/cuda/attention_passes.h"

namespace lodestone::kernels {

namespace {

bool has_head_size_of_tensor_cores(const AttentionLayout& layout) {
  const std::int64_t size = layout.head_size;
  return layout.dtype == DType::kBf16 && (size == 32 || size == 64 || size == 128);
}

// Rows of bf16 that begin at multiples of 16 bytes. None at all do too.
bool is_aligned(const void* data, std::int64_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride % 8 == 0;
}

template <class Args>
bool has_aligned_inputs(const Args& a) {
  return is_aligned(a.queries.data, a.queries.stride) && is_aligned(a.keys.data, a.keys.stride) &&
         is_aligned(a.values.data, a.values.stride) && is_aligned(a.y, 0);
}

void check_layout(const AttentionLayout& layout) {
  if (layout.dtype != DType::kF32 && layout.dtype != DType::kBf16)
    throw_error(ErrorKind::kInvalidArgument,
                "attention: " + std::string(name_of(layout.dtype)) + " has no CUDA kernel here");
  if (layout.head_size > 128)
    throw_error(
        ErrorKind::kInvalidArgument,
        "attention: heads on CUDA have up to 128 columns, got " + std::to_string(layout.head_size));
}

}  // namespace

bool takes_tensor_cores(const AttentionForwardArgs& a) {
  return has_head_size_of_tensor_cores(a.layout) && has_aligned_inputs(a);
}

bool takes_tensor_cores(const AttentionBackwardArgs& a) {
  return has_head_size_of_tensor_cores(a.layout) && has_aligned_inputs(a) && is_aligned(a.dy, 0) &&
         is_aligned(a.dqueries.data, 0) && is_aligned(a.dkeys.data, 0) &&
         is_aligned(a.dvalues.data, 0);
}

std::int64_t attention_forward_workspace(const AttentionLayout&, CudaStream&) {
  return 0;
}

std::int64_t attention_backward_workspace(const AttentionLayout& layout, CudaStream&) {
  return layout.cells * layout.heads * query_terms_of_item(layout) *
         static_cast<std::int64_t>(sizeof(QueryTerms));
}

void run(const AttentionForwardArgs& args, CudaStream& stream) {
  check_layout(args.layout);
  takes_tensor_cores(args) ? attention_forward_bf16(args, stream)
                           : attention_forward_plain(args, stream);
}

void run(const AttentionBackwardArgs& args, CudaStream& stream) {
  check_layout(args.layout);
  const bool on_tensor_cores = takes_tensor_cores(args);
  attention_query_terms(args, stream);
  if (args.dkeys.data)
    on_tensor_cores ? attention_backward_keys_bf16(args, stream)
                    : attention_backward_keys_plain(args, stream);
  if (args.dqueries.data)
    on_tensor_cores ? attention_backward_queries_bf16(args, stream)
                    : attention_backward_queries_plain(args, stream);
}

}  // namespace lodestone::kernels
