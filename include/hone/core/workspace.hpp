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

/// One block of a backend's memory whose use is planned, not allocated: the same planning function is run once to count
/// and once to place. The block grows when a plan needs more than any before, and is otherwise used again.
template <Backend B>
class Workspace {
 public:
  explicit Workspace(typename B::Context& context) : context_(&context) {}

  /// Calls `plan(Layout&)` twice; what the second call places is valid until the next `plan`.
  template <class Plan>
  void plan(Plan&& plan) {
    Layout counting;
    plan(counting);
    if (static_cast<Index>(counting.peak()) > block_.size()) {
      block_ = {};  // give back before taking more: the old content is not needed
      block_ = Buffer<B, std::byte>(*context_, static_cast<Index>(counting.peak() + counting.peak() / 8));
    }
    if (poison_ && block_.size() > 0) {
      std::vector<std::byte> const ones(static_cast<std::size_t>(block_.size()), std::byte{0xFF});
      block_.upload(ones);
    }
    Layout placing(block_.data());
    plan(placing);
  }

  /// Fills the block with NaN before every plan, so that a value used before it is written shows. For tests.
  void poison(bool on) { poison_ = on; }
  /// Bytes held.
  std::size_t bytes() const { return static_cast<std::size_t>(block_.size()); }

 private:
  typename B::Context* context_;
  Buffer<B, std::byte> block_;
  bool poison_ = false;
};

}  // namespace hone
