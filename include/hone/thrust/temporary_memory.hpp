#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace hone {

/// The allocator of a Thrust execution policy: memory that algorithms take for the time of one call (a sort's buffers,
/// partial sums) and give back. Blocks are kept and used again, so that a step like the one before allocates nothing.
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
    for (Block const& block : blocks_) context_->deallocate(block.memory, block.bytes);
  }

  /// The smallest kept block that is large enough, else a new one. Throws what the context throws.
  char* allocate(std::ptrdiff_t count) {
    std::size_t const bytes = (static_cast<std::size_t>(std::max<std::ptrdiff_t>(count, 1)) + 255) / 256 * 256;
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
    for (Block& block : blocks_)
      if (block.memory == memory) block.used = false;
  }

  /// Bytes held, and bytes of blocks that are taken right now.
  std::size_t bytes() const {
    return sum([](Block const&) { return true; });
  }
  std::size_t bytes_in_use() const {
    return sum([](Block const& block) { return block.used; });
  }

 private:
  struct Block {
    char* memory;
    std::size_t bytes;
    bool used;
  };
  template <class Counts>
  std::size_t sum(Counts const& counts) const {
    std::size_t total = 0;
    for (Block const& block : blocks_)
      if (counts(block)) total += block.bytes;
    return total;
  }

  Context* context_;
  std::vector<Block> blocks_;
};

}  // namespace hone
