// The team is OpenMP's: the matrix-product library uses it too, and two teams would fight for
// cores.
#include <omp.h>

#include <algorithm>
#include <exception>
#include <string>

#include "engine/core/error.h"
#include "engine/core/threads.h"

namespace lodestone {

int thread_count() {
  return omp_get_max_threads();
}

void set_thread_count(int count) {
  if (count < 1 || count > 1024)
    throw_error(ErrorKind::kInvalidArgument,
                "threads: expected 1 to 1024, got " + std::to_string(count));
  omp_set_num_threads(count);
}

void parallel_ranges(std::int64_t n, std::int64_t grain, RangeBody body, void* context) {
  if (n <= 0) return;
  const std::int64_t worth = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const std::int64_t team =
      omp_in_parallel() ? 1 : std::min<std::int64_t>(worth, omp_get_max_threads());
  if (team == 1) return body(context, 0, n);
  std::exception_ptr failure;
#pragma omp parallel for schedule(static, 1) num_threads(static_cast<int>(team))
  for (std::int64_t part = 0; part < team; ++part) {
    try {
      body(context, n * part / team, n * (part + 1) / team);
    } catch (...) {
#pragma omp critical(lodestone_parallel_ranges)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace lodestone
