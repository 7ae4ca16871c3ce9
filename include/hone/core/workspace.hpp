#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/buffer.hpp"

namespace hone {

/// Hands out consecutive, aligned pieces of one block of memory; with no block it only counts.
class Layout {
 public:
  static constexpr std::size_t alignment = 64;  ///< bytes: a cache line, and the widest vector

  explicit Layout(std::byte* base = nullptr) : base_(base) {}

  /// `count` values of T (null while counting).
  template <class T>
  VectorView<T> vector(Index count) {
    std::size_t const begin = used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + alignment - 1) / alignment * alignment;
    if (used_ > peak_) peak_ = used_;
    return {base_ ? reinterpret_cast<T*>(base_ + begin) : nullptr, count};
  }
  template <class T>
  MatrixView<T> matrix(Index rows, Index cols) {
    return {vector<T>(rows * cols).data, rows, cols};
  }

  /// Where the next piece begins; `rewind` gives back everything taken since then.
  std::size_t mark() const { return used_; }
  void rewind(std::size_t mark) { used_ = mark; }
  /// The most that was in use at once, in bytes.
  std::size_t peak() const { return peak_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0, peak_ = 0;
};

/// Two layouts that are planned together: what must live until backward, and what may be used again at once.
struct Plan {
  Layout saved;    ///< kept from forward to backward
  Layout scratch;  ///< within one call; layers that run one after the other share it (mark and rewind)
};

/// A backend's memory whose use is planned, not allocated: the same planning function is run once to count and once to
/// place. Memory grows when a plan needs more than any before, and is otherwise used again.
template <Backend B>
class Workspace {
 public:
  explicit Workspace(typename B::Context& context) : context_(&context) {}

  /// Calls `plan(Plan&)` twice; what the second call places is valid until the next `plan`.
  template <class Planner>
  void plan(Planner&& planner) {
    Plan counting;
    planner(counting);
    ensure(saved_, counting.saved.peak());
    ensure(scratch_, counting.scratch.peak());
    Plan placing{Layout(saved_.data()), Layout(scratch_.data())};
    planner(placing);
  }

  /// How much is taken where a plan needs so much: some more, so that a little more does not mean new memory.
  static std::size_t reserve_for(std::size_t bytes) { return bytes + bytes / 8; }

  /// Fills the memory with NaN before every plan, so that a value used before it is written shows. For tests.
  void poison(bool on) { poison_ = on; }
  /// Bytes held.
  std::size_t bytes() const { return static_cast<std::size_t>(saved_.size() + scratch_.size()); }

 private:
  void ensure(Buffer<B, std::byte>& block, std::size_t bytes) {
    if (static_cast<Index>(bytes) > block.size()) {
      block = {};  // give back before taking more: the old content is not needed
      block = Buffer<B, std::byte>(*context_, static_cast<Index>(reserve_for(bytes)));
    }
    if (poison_ && block.size() > 0) {
      std::vector<std::byte> const ones(static_cast<std::size_t>(block.size()), std::byte{0xFF});
      block.upload(ones);
    }
  }

  typename B::Context* context_;
  Buffer<B, std::byte> saved_, scratch_;
  bool poison_ = false;
};

}  // namespace hone
