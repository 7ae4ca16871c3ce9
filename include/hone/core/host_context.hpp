#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/host_memory.hpp"
#include "hone/core/instruction_set.hpp"
#include "hone/core/matrix.hpp"
#include "hone/core/thread_pool.hpp"

namespace hone {

/// How a context on the host is made.
struct HostOptions {
  int threads = 0;  ///< threads that compute; 0: what the process may use
  /// what kernels may use; empty: the best that the processor has (and HONE_INSTRUCTION_SET allows)
  std::optional<InstructionSet> instruction_set{};
};

/// The context of every backend whose memory is the host's: threads, aligned memory, scratch memory by thread.
class HostContext {
 public:
  explicit HostContext(HostOptions options = {})
      : instruction_set_(choose_instruction_set(options.instruction_set)), pool_(options.threads) {}

  ThreadPool& pool() { return pool_; }
  int threads() const { return pool_.size(); }
  InstructionSet instruction_set() const { return instruction_set_; }

  /// Bytes that may still be taken; 0: not known.
  std::uint64_t available_bytes() const { return available_host_memory(); }

  /// Aligned to a cache line. Throws E711 when there is not so much memory.
  void* allocate(std::size_t bytes);
  void deallocate(void* memory, std::size_t bytes) { detail::free_host_memory(memory, bytes); }
  void upload(void* to, void const* from, std::size_t bytes) { copy(to, from, bytes); }
  void download(void* to, void const* from, std::size_t bytes) { copy(to, from, bytes); }
  void fill_zero(void* to, std::size_t bytes) {
    if (bytes > 0) std::memset(to, 0, bytes);
  }
  void synchronize() {}

  /// The context's object of type T, made by the first call: what kernels keep from call to call. Thread-safe.
  template <class T>
  T& kept() {
    static char const key = 0;  // one address for each T
    std::lock_guard<std::mutex> lock(kept_mutex_);
    for (auto const& [type, object] : kept_)
      if (type == &key) return *static_cast<T*>(object.get());
    kept_.emplace_back(&key, std::make_shared<T>());
    return *static_cast<T*>(kept_.back().second.get());
  }

  /// Runs functor(0) .. functor(count - 1), spread over the threads; the functor must not care in which order.
  template <class Functor>
  void for_each(Index count, Functor const& functor) {
    Index const grain = count / 64 > 1 ? count / 64 : 1;
    pool_.parallel_for(count, grain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) functor(i);
    });
  }

 private:
  static void copy(void* to, void const* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  std::mutex kept_mutex_;
  std::vector<std::pair<void const*, std::shared_ptr<void>>> kept_;
  InstructionSet instruction_set_;  // asked for before threads are started
  ThreadPool pool_;
};

#if HONE_BODIES

HONE_INLINE void* HostContext::allocate(std::size_t bytes) {
  void* memory = detail::allocate_host_memory(bytes);
  if (!memory)
    throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes"},
                "use a smaller batch or a smaller model, or a machine with more memory");
  return memory;
}

#endif

}  // namespace hone
