#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "hone/core/error.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/host_memory.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// What a thread's scratch memory is for; pieces for different uses may be held at once.
enum class Scratch : std::uint8_t { shared_panels, row_panels, block_sums, tile, attention, reduction, count };

/// What the threads of the process hold at most for each use, and how often any of them took more.
struct ScratchSizes {
  std::array<std::atomic<std::size_t>, static_cast<std::size_t>(Scratch::count)> most{};
  std::atomic<std::uint64_t> growths{0};

  void note(Scratch use, std::size_t bytes) {
    auto& most_of_use = most[static_cast<std::size_t>(use)];
    for (std::size_t known = most_of_use; known < bytes && !most_of_use.compare_exchange_weak(known, bytes);) {
    }
    growths.fetch_add(1);
  }
};
inline ScratchSizes scratch_sizes;

/// Memory that grows and is kept until the thread ends, so that a step after the first allocates nothing.
class ScratchBlock {
 public:
  ScratchBlock() = default;
  ScratchBlock(ScratchBlock const&) = delete;
  ScratchBlock& operator=(ScratchBlock const&) = delete;
  ~ScratchBlock() { free_host_memory(data_, size_); }

  void* get(Scratch use, std::size_t bytes) {
    if (bytes > size_) take(use, bytes + bytes / 4);
    return data_;
  }
  /// Takes at least so many bytes, unless it has them.
  void take(Scratch use, std::size_t bytes) {
    if (bytes > size_) {
      free_host_memory(data_, size_);
      size_ = 0;
      data_ = allocate_host_memory(bytes);
      if (!data_)
        throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes"},
                    "use a smaller batch or a smaller model, or a machine with more memory");
      size_ = bytes;
      scratch_sizes.note(use, bytes);
    }
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

constexpr Index round_up(Index value, Index multiple) { return (value + multiple - 1) / multiple * multiple; }

/// The scratch memory of this thread for a use.
inline ScratchBlock& scratch_block(Scratch use) {
  static thread_local ScratchBlock blocks[static_cast<int>(Scratch::count)];
  return blocks[static_cast<int>(use)];
}

/// `count` values of T, 64-byte aligned, not initialised; valid until this thread asks for the same use again.
template <class T>
T* scratch(Scratch use, Index count) {
  return static_cast<T*>(scratch_block(use).get(use, static_cast<std::size_t>(count) * sizeof(T)));
}

/// Gives every thread of a context as much scratch memory as any has needed so far: which thread does which piece of work is
/// chance, so that without this one might meet the largest piece for the first time in a late step. What the caller alone
/// uses, before it shares out work, stays the caller's. For the end of a step; costs nothing where nothing grew.
inline void level_scratch(HostContext& context) {
  struct Levelled {
    std::uint64_t growths = 0;
  };
  auto& levelled = context.kept<Levelled>();
  if (levelled.growths == scratch_sizes.growths) return;
  context.pool().in_each_thread([] {
    for (auto const use : {Scratch::row_panels, Scratch::block_sums, Scratch::tile, Scratch::attention})
      scratch_block(use).take(use, scratch_sizes.most[static_cast<std::size_t>(use)]);
  });
  levelled.growths = scratch_sizes.growths;
}

}  // namespace hone::detail
