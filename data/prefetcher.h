#pragma once
// Things made ahead by one thread and taken in the order they were made.
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace lodestone {

template <class T>
class Prefetcher {
 public:
  // `make` is called by the thread alone, at most `capacity` (> 0) things ahead of take().
  Prefetcher(std::function<T()> make, int capacity)
      : make_(std::move(make)),
        capacity_(static_cast<std::size_t>(capacity)),
        thread_([this] { run(); }) {}
  ~Prefetcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // Rethrows what stopped the thread, once everything made before it is taken.
  T take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || failure_ != nullptr; });
    if (ready_.empty()) std::rethrow_exception(failure_);
    T taken = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return taken;
  }

 private:
  void run() {
    try {
      while (wait_for_room()) {
        T made = make_();
        const std::lock_guard lock(mutex_);
        ready_.push_back(std::move(made));
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }
  // False when it is time to stop.
  bool wait_for_room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || ready_.size() < capacity_; });
    return !stopping_;
  }

  const std::function<T()> make_;
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> ready_;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace lodestone
