#pragma once

#include <cstddef>
#include <cstdint>

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

namespace detail {

class KernelDemand;  // cpu/kernel_memory.hpp

}  // namespace detail

/// What is planned together: what must live until backward, what may be used again at once, and what kernels ask for.
struct Plan {
  Layout saved{};           ///< kept from forward to backward
  Layout scratch{};         ///< within one call; layers that run one after the other share it (mark and rewind)
  std::size_t kernels = 0;  ///< bytes of the context's scratch memory: the most that one kernel asks for
  /// Where it is asked for: what the processor's kernels hold themselves.
  detail::KernelDemand* demand = nullptr;

  /// Counts the kernel of backend B for Op on so many rows of this width. `more`: sizes that the processor's kernels want to
  /// know besides (KernelMemory<Op> in cpu/kernel_memory.hpp).
  template <class B, class Op, class... More>
  void kernel(Index rows, Index width, More... more) {
    using Rung = RungOf<B, Op>;
    std::size_t const bytes = kernel_scratch<B, Op>(rows, width);
    if (bytes > kernels) kernels = bytes;
    if constexpr (requires { Rung::template count<Op>(*demand, rows, width, more...); })
      if (demand) Rung::template count<Op>(*demand, rows, width, more...);
  }
};

namespace detail {

struct PoisonByte {
  std::byte* memory;
  HONE_HOST_DEVICE void operator()(Index i) const { memory[i] = std::byte{0xFF}; }
};

}  // namespace detail

/// A backend's memory whose use is planned, not allocated: the same planning function is run once to count and once to
/// place, all in one block. Memory grows when a plan needs more than any before, and is otherwise used again.
template <Backend B>
class Workspace {
 public:
  explicit Workspace(typename B::Context& context) : context_(&context) {}

  /// Calls `plan(Plan&)` twice; what the second call places is valid until the next `plan`.
  template <class Planner>
  void plan(Planner&& planner) {
    Plan const counted = reserve(planner);
    std::byte* const base = block_.data();
    Plan placing{Layout(base), Layout(base ? base + counted.saved.peak() : nullptr)};
    planner(placing);
  }
  /// Takes the memory of a plan, if there is not as much, and places nothing: within a step no memory is taken.
  template <class Planner>
  Plan reserve(Planner&& planner) {
    Plan counting;
    planner(counting);
    ensure(counting.saved.peak() + counting.scratch.peak());
    reserve_scratch(*context_, counting.kernels);
    return counting;
  }

  /// How much is taken where a plan needs so much: some more, so that a little more does not mean new memory.
  static std::size_t reserve_for(Plan const& plan) { return with_reserve(plan.saved.peak() + plan.scratch.peak()); }

  /// Fills the memory with NaN before every plan, so that a value used before it is written shows. For tests.
  void poison(bool on) { poison_ = on; }
  /// Bytes held.
  std::size_t bytes() const { return static_cast<std::size_t>(block_.size()); }

 private:
  void ensure(std::size_t bytes) {
    if (static_cast<Index>(bytes) > block_.size()) {
      block_ = {};  // give back before taking more: the old content is not needed
      block_ = Buffer<B, std::byte>(*context_, static_cast<Index>(with_reserve(bytes)));
    }
    if (poison_) context_->for_each(block_.size(), detail::PoisonByte{block_.data()});
  }

  typename B::Context* context_;
  Buffer<B, std::byte> block_;
  bool poison_ = false;
};

}  // namespace hone
