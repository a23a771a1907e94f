#pragma once
// Kernels that do nothing much, to be launched within and beyond the limits.
#include <cuda_runtime_api.h>

#include <cstddef>

namespace lodestone::testing {

// What cudaGetLastError() says after the launch.
cudaError_t launch_plain(unsigned blocks, unsigned threads, std::size_t dynamic_shared_bytes);
// A kernel of at most 64 threads.
cudaError_t launch_bounded(unsigned threads);
// A kernel that may be given more dynamic shared memory.
cudaError_t allow_shared_memory(int bytes);
cudaError_t launch_large(std::size_t dynamic_shared_bytes);
// Two buffers of `words` integers in dynamic shared memory with a gap of one between them,
// announced to the instrument; writes element `index` of the first.
cudaError_t launch_carved(int words, int index);
// Blocks of the bounded kernel on one multiprocessor.
int blocks_of_bounded(int threads, std::size_t dynamic_shared_bytes);

}  // namespace lodestone::testing
