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

namespace hone {

/// The number of threads this process may use: processor affinity and the cgroup's quota, at least 1.
inline int available_threads() {
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

/// A small pool of threads owned by whoever computes; the calling thread is one of them.
///
/// Work is cut into chunks whose borders depend on the work alone, never on the number of threads, so that
/// whatever a chunk computes has the same bits for any thread count. Not re-entrant: a chunk must not start
/// another `parallel_for` on the same pool (it would run serially, which is still right).
class ThreadPool {
 public:
  /// @param threads  how many run at once, the caller included; 0: `available_threads()`
  explicit ThreadPool(int threads = 0) : size_(threads > 0 ? threads : available_threads()) {
    for (int i = 1; i < size_; ++i) workers_.emplace_back([this] { work(); });
  }

  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  ~ThreadPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
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
    std::function<void(std::int64_t)> job = run;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      chunks_ = chunks;
      next_.store(0);
      active_ = size_ - 1;
      failure_ = nullptr;
      ++generation_;
    }
    wake_.notify_all();
    drain(job);
    std::exception_ptr failure;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return active_ == 0; });
      job_ = nullptr;
      failure = failure_;
      failure_ = nullptr;
    }
    busy_.store(false);
    if (failure) std::rethrow_exception(failure);
  }

 private:
  void drain(std::function<void(std::int64_t)> const& job) {
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

  void work() {
    std::uint64_t seen = 0;
    for (;;) {
      std::function<void(std::int64_t)> const* job = nullptr;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
        if (stop_) return;
        seen = generation_;
        job = job_;
      }
      drain(*job);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--active_ == 0) done_.notify_one();
    }
  }

  int size_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::function<void(std::int64_t)> const* job_ = nullptr;
  std::int64_t chunks_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> busy_{false};
  int active_ = 0;
  std::uint64_t generation_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
};

}  // namespace hone
