#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace hone {

/// The allocator of a Thrust execution policy: memory that algorithms take for the time of one call (a sort's buffers,
/// partial sums) and give back. It comes from one reserved block, as a stack; what does not fit there is taken apart, kept
/// and used again, so that a step like the one before allocates nothing.
///
/// On a device it may be used by one stream alone: what is given back may still be read by kernels that have not ended,
/// and is next written by a later kernel of the same stream.
/// @tparam Context  where the memory comes from: allocate(bytes), deallocate(memory, bytes). It must outlive this.
template <class Context>
class TemporaryMemory {
 public:
  using value_type = char;

  explicit TemporaryMemory(Context& context) : context_(&context) {}
  TemporaryMemory(TemporaryMemory const&) = delete;
  TemporaryMemory& operator=(TemporaryMemory const&) = delete;
  ~TemporaryMemory() {
    if (arena_) context_->deallocate(arena_, arena_bytes_);
    for (Block const& block : blocks_) context_->deallocate(block.memory, block.bytes);
  }

  /// What a request takes.
  static constexpr std::size_t aligned(std::size_t bytes) { return ((bytes > 1 ? bytes : 1) + 255) / 256 * 256; }

  /// Takes a block of so many bytes to give memory from, unless it has as much or some of it is taken.
  void reserve(std::size_t bytes) {
    if (bytes <= arena_bytes_ || !pieces_.empty()) return;
    if (arena_) context_->deallocate(arena_, arena_bytes_);
    arena_ = nullptr;
    arena_bytes_ = 0;
    arena_ = static_cast<char*>(context_->allocate(bytes));
    arena_bytes_ = bytes;
  }

  /// Throws what the context throws.
  char* allocate(std::ptrdiff_t count) {
    std::size_t const bytes = aligned(static_cast<std::size_t>(std::max<std::ptrdiff_t>(count, 1)));
    std::size_t const begin = pieces_.empty() ? 0 : pieces_.back().end;
    if (begin + bytes <= arena_bytes_) {
      pieces_.push_back({begin, begin + bytes, true});
      return arena_ + begin;
    }
    Block* best = nullptr;
    for (Block& block : blocks_)
      if (!block.used && block.bytes >= bytes && (!best || block.bytes < best->bytes)) best = &block;
    if (!best) {
      blocks_.reserve(blocks_.size() + 1);  // so that nothing is lost when there is no memory for the list
      blocks_.push_back({static_cast<char*>(context_->allocate(bytes)), bytes, false});
      best = &blocks_.back();
    }
    best->used = true;
    return best->memory;
  }
  void deallocate(char* memory, std::size_t) {
    for (Piece& piece : pieces_)
      if (arena_ + piece.begin == memory) piece.used = false;
    while (!pieces_.empty() && !pieces_.back().used) pieces_.pop_back();
    for (Block& block : blocks_)
      if (block.memory == memory) block.used = false;
  }

  /// Bytes held, and bytes that are taken right now.
  std::size_t bytes() const {
    std::size_t total = arena_bytes_;
    for (Block const& block : blocks_) total += block.bytes;
    return total;
  }
  std::size_t bytes_in_use() const {
    std::size_t total = 0;
    for (Piece const& piece : pieces_) total += piece.used ? piece.end - piece.begin : 0;
    for (Block const& block : blocks_) total += block.used ? block.bytes : 0;
    return total;
  }

 private:
  struct Piece {  // of the arena
    std::size_t begin, end;
    bool used;
  };
  struct Block {
    char* memory;
    std::size_t bytes;
    bool used;
  };

  Context* context_;
  char* arena_ = nullptr;
  std::size_t arena_bytes_ = 0;
  std::vector<Piece> pieces_{};  // in the order of their places; the last one is in use
  std::vector<Block> blocks_{};
};

}  // namespace hone
