#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "hone/core/config.hpp"

namespace hone {

/// The number of threads this process may use: processor affinity and the cgroup's quota, at least 1.
int available_threads();

/// A small pool of threads owned by whoever computes; the calling thread is one of them.
///
/// Work is cut into chunks whose borders depend on the work alone, never on the number of threads, so that
/// whatever a chunk computes has the same bits for any thread count. Not re-entrant: a chunk must not start
/// another `parallel_for` on the same pool (it would run serially, which is still right).
class ThreadPool {
 public:
  /// @param threads  how many run at once, the caller included; 0: `available_threads()`
  explicit ThreadPool(int threads = 0);

  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  ~ThreadPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_.store(true);
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int size() const noexcept { return size_; }

  /// Calls `body(begin, end)` for chunks of `grain` consecutive indices that cover [0, count); returns when all are done.
  /// The first exception thrown by a chunk is rethrown here; chunks not yet begun are then left out.
  template <class Body>
  void parallel_for(std::int64_t count, std::int64_t grain, Body const& body) {
    if (count <= 0) return;
    if (grain < 1) grain = 1;
    std::int64_t const chunks = (count + grain - 1) / grain;
    auto run = [&](std::int64_t chunk) {
      std::int64_t const begin = chunk * grain;
      body(begin, begin + grain < count ? begin + grain : count);
    };
    if (chunks == 1 || size_ == 1 || busy_.exchange(true)) {  // alone, or called from inside a chunk
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run(chunk);
      return;
    }
    share_out(chunks, std::ref(run));
  }

  /// Calls `body()` once in every thread of the pool, the caller among them; from inside a chunk: in this thread alone.
  template <class Body>
  void in_each_thread(Body const& body) {
    if (size_ == 1 || busy_.exchange(true)) return body();
    std::atomic<int> begun{0};
    auto once = [&](std::int64_t) {
      begun.fetch_add(1);
      while (begun.load() < size_) std::this_thread::yield();  // so that no thread takes a second one
      body();
    };
    share_out(size_, std::ref(once));
  }

 private:
  /// Calls job(chunk) in all threads. Whoever calls it has set busy_, and gives a reference: that allocates nothing.
  void share_out(std::int64_t chunks, std::function<void(std::int64_t)> const& job);

  /// Looks for a short time before its thread sleeps: between the pieces of a step there are microseconds, and to be woken
  /// takes longer. Short, so that other programs' threads get the processor where there is nothing to do.
  template <class Condition>
  static bool spin_until(Condition const& condition) {
    for (int i = 0; i < 1000; ++i) {  // some 50 us
      if (condition()) return true;
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#else
      std::this_thread::yield();
#endif
    }
    return condition();
  }

  void drain(std::function<void(std::int64_t)> const& job);

  void work();

  int size_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::function<void(std::int64_t)> const* job_ = nullptr;
  std::int64_t chunks_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> busy_{false};
  std::atomic<int> active_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::exception_ptr failure_;
};

#if HONE_BODIES

HONE_INLINE int available_threads() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  std::ifstream limit("/sys/fs/cgroup/cpu.max");  // cgroup v2: "QUOTA PERIOD" or "max PERIOD"
  std::string quota;
  double period = 0;
  if (limit >> quota >> period && quota != "max" && period > 0) {
    int const allowed = static_cast<int>(std::stod(quota) / period + 0.5);
    if (allowed < count) count = allowed;
  }
#endif
  return count < 1 ? 1 : count;
}

HONE_INLINE ThreadPool::ThreadPool(int threads) : size_(threads > 0 ? threads : available_threads()) {
  for (int i = 1; i < size_; ++i) workers_.emplace_back([this] { work(); });
}

HONE_INLINE void ThreadPool::drain(std::function<void(std::int64_t)> const& job) {
  for (;;) {
    std::int64_t const chunk = next_.fetch_add(1);
    if (chunk >= chunks_) return;
    try {
      job(chunk);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_.store(chunks_);
    }
  }
}

HONE_INLINE void ThreadPool::work() {
  std::uint64_t seen = 0;
  for (;;) {
    auto const called = [&] { return stop_.load() || generation_.load() != seen; };
    if (!spin_until(called)) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, called);
    }
    if (stop_.load()) return;
    seen = generation_.load();  // what belongs to it was written before, and stays until this thread is done
    std::function<void(std::int64_t)> const& job = *job_;
    drain(job);
    if (active_.fetch_sub(1) > 1) continue;
    std::lock_guard<std::mutex> lock(mutex_);  // whoever waits has looked before, or sleeps
    done_.notify_one();
  }
}

HONE_INLINE void ThreadPool::share_out(std::int64_t chunks, std::function<void(std::int64_t)> const& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job_ = &job;
    chunks_ = chunks;
    next_.store(0);
    active_.store(size_ - 1);
    failure_ = nullptr;
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  drain(job);
  if (!spin_until([this] { return active_.load() == 0; })) {
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return active_.load() == 0; });
  }
  std::exception_ptr const failure = failure_;  // nobody else is at work
  busy_.store(false);
  if (failure) std::rethrow_exception(failure);
}

#endif

}  // namespace hone
