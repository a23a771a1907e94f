// A team of std::thread, for ThreadSanitizer builds: it does not understand OpenMP's barriers.
#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/core/error.h"
#include "engine/core/threads.h"

namespace lodestone {

namespace {
std::atomic<int> team_size{static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))};
thread_local bool inside = false;
}  // namespace

int thread_count() {
  return team_size;
}

void set_thread_count(int count) {
  if (count < 1 || count > 1024)
    throw_error(ErrorKind::kInvalidArgument,
                "threads: expected 1 to 1024, got " + std::to_string(count));
  team_size = count;
}

void parallel_ranges(std::int64_t n, std::int64_t grain, RangeBody body, void* context) {
  if (n <= 0) return;
  const std::int64_t worth = std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain));
  const std::int64_t team = inside ? 1 : std::min<std::int64_t>(worth, team_size);
  if (team == 1) return body(context, 0, n);
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&](std::int64_t part) {
    inside = true;
    try {
      body(context, n * part / team, n * (part + 1) / team);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
    inside = false;
  };
  std::vector<std::thread> others;
  for (std::int64_t part = 1; part < team; ++part) others.emplace_back(work, part);
  work(0);
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace lodestone
