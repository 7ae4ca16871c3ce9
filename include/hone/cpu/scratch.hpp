#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "hone/core/error.hpp"
#include "hone/core/host_memory.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// What a thread's scratch memory is for; pieces for different uses may be held at once.
enum class Scratch : std::uint8_t { shared_panels, row_panels, block_sums, tile, attention, reduction, count };

/// Memory that grows and is kept until the thread ends, so that a step after the first allocates nothing.
class ScratchBlock {
 public:
  ScratchBlock() = default;
  ScratchBlock(ScratchBlock const&) = delete;
  ScratchBlock& operator=(ScratchBlock const&) = delete;
  ~ScratchBlock() { free_host_memory(data_, size_); }

  void* get(std::size_t bytes) {
    if (bytes > size_) {
      free_host_memory(data_, size_);
      size_ = 0;
      data_ = allocate_host_memory(bytes + bytes / 4);
      if (!data_)
        throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes"},
                    "use a smaller batch or a smaller model, or a machine with more memory");
      size_ = bytes + bytes / 4;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

constexpr Index round_up(Index value, Index multiple) { return (value + multiple - 1) / multiple * multiple; }

/// `count` values of T, 64-byte aligned, not initialised; valid until this thread asks for the same use again.
template <class T>
T* scratch(Scratch use, Index count) {
  static thread_local ScratchBlock blocks[static_cast<int>(Scratch::count)];
  return static_cast<T*>(blocks[static_cast<int>(use)].get(static_cast<std::size_t>(count) * sizeof(T)));
}

}  // namespace hone::detail
