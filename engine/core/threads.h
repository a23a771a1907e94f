#pragma once
// Threads of the CPU backend. One fork-join team, shared with the matrix-product library.
#include <cstdint>
#include <memory>
#include <type_traits>

namespace lodestone {

int thread_count();
// 1 <= count <= 1024. Not while parallel work runs.
void set_thread_count(int count);

// Calls body(context, begin, end) for one contiguous range per thread; together they cover [0, n).
// The cut depends on n, grain and thread_count() alone, so results that depend on it are
// reproducible for a given thread count. Fewer threads run when n / grain is small. Nested calls
// run on the calling thread. An exception of one range is rethrown after all have ended.
using RangeBody = void (*)(void* context, std::int64_t begin, std::int64_t end);
void parallel_ranges(std::int64_t n, std::int64_t grain, RangeBody body, void* context);

// body(begin, end), as above. `grain` is the least number of items worth a thread.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& body) {
  using Body = std::remove_reference_t<F>;
  parallel_ranges(
      n, grain,
      [](void* context, std::int64_t begin, std::int64_t end) {
        (*static_cast<Body*>(context))(begin, end);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace lodestone
