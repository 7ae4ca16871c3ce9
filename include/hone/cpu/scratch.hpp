#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/host_memory.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// What a thread's scratch memory is for; pieces for different uses may be held at once.
enum class Scratch : std::uint8_t { shared_panels, row_panels, block_sums, tile, attention, reduction, count };

/// How often any thread of the process took more.
inline std::atomic<std::uint64_t> scratch_growths{0};

/// Memory that grows and is kept until the thread ends, so that a step after the first allocates nothing.
class ScratchBlock {
 public:
  ScratchBlock() = default;
  ScratchBlock(ScratchBlock const&) = delete;
  ScratchBlock& operator=(ScratchBlock const&) = delete;
  ~ScratchBlock() { free_host_memory(data_, size_); }

  /// How much is taken where a kernel asks for so much: some more, so that a little more does not mean new memory.
  static constexpr std::size_t room(std::size_t bytes) { return bytes + bytes / 4; }

  void* get(std::size_t bytes) {
    if (bytes > size_) take(room(bytes));
    return data_;
  }
  /// Takes at least so many bytes, unless it has them.
  void take(std::size_t bytes);
  /// Bytes that are held.
  std::size_t bytes() const { return size_; }

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
  return static_cast<T*>(scratch_block(use).get(static_cast<std::size_t>(count) * sizeof(T)));
}

/// Bytes for each use.
using ScratchBytes = std::array<std::size_t, static_cast<std::size_t>(Scratch::count)>;

/// What every thread of a context needs for itself. The other uses are the caller's alone, before it shares out work.
inline constexpr Scratch scratch_of_each_thread[] = {Scratch::row_panels, Scratch::block_sums, Scratch::tile,
                                                     Scratch::attention};

/// What the threads of a context hold together, the caller among them (whose memory serves all contexts that it uses).
ScratchBytes scratch_bytes(HostContext& context);

/// Gives every thread of a context as much scratch memory as any of them has needed so far: which thread does which piece of
/// work is chance, so that without this one might meet the largest piece for the first time in a late step. For the end of a
/// step; costs nothing where nothing grew.
void level_scratch(HostContext& context);

#if HONE_BODIES

HONE_INLINE void ScratchBlock::take(std::size_t bytes) {
  if (bytes > size_) {
    free_host_memory(data_, size_);
    size_ = 0;
    data_ = allocate_host_memory(bytes);
    if (!data_)
      throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes"},
                  "use a smaller batch or a smaller model, or a machine with more memory");
    size_ = bytes;
    scratch_growths.fetch_add(1);
  }
}

HONE_INLINE ScratchBytes scratch_bytes(HostContext& context) {
  std::array<std::atomic<std::size_t>, static_cast<std::size_t>(Scratch::count)> sums{};
  context.pool().in_each_thread([&] {
    for (std::size_t use = 0; use < sums.size(); ++use) sums[use] += scratch_block(static_cast<Scratch>(use)).bytes();
  });
  ScratchBytes bytes{};
  std::copy(sums.begin(), sums.end(), bytes.begin());
  return bytes;
}

HONE_INLINE void level_scratch(HostContext& context) {
  struct Levelled {
    std::uint64_t growths = 0;
  };
  auto& levelled = context.kept<Levelled>();
  if (levelled.growths == scratch_growths) return;
  std::array<std::atomic<std::size_t>, static_cast<std::size_t>(Scratch::count)> most{};
  context.pool().in_each_thread([&] {
    for (auto const use : scratch_of_each_thread) {
      auto& most_of_use = most[static_cast<std::size_t>(use)];
      std::size_t const held = scratch_block(use).bytes();
      for (std::size_t known = most_of_use; known < held && !most_of_use.compare_exchange_weak(known, held);) {
      }
    }
  });
  context.pool().in_each_thread([&] {
    for (auto const use : scratch_of_each_thread) scratch_block(use).take(most[static_cast<std::size_t>(use)]);
  });
  levelled.growths = scratch_growths;
}

#endif

}  // namespace hone::detail
