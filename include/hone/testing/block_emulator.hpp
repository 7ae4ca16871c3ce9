#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "hone/core/bfloat16.hpp"
#include "hone/core/error.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/cuda/thread.hpp"
#include "hone/testing/fiber.hpp"
#include "hone/testing/thread_order.hpp"

namespace hone::testing {

template <class T>
class CheckedSpan;

/// One block of threads on the host: a fiber for every thread, of which one runs at a time. Used again for every block.
class BlockEmulator {
 public:
  class Thread;

  /// Runs one block of the kernel's launch. Throws what a thread throws, and E730 to E735 and E738 for what a device would
  /// not survive or would answer wrongly.
  template <BlockKernel K>
  void run(K const& kernel, LaunchShape const& shape, Index block, Index block_y, ThreadOrder order);

 private:
  template <class T>
  friend class CheckedSpan;
  enum class Call : std::uint8_t { none, barrier, warp_barrier, shuffle_xor, shuffle, mma };

  struct Lane {  // a thread: its fiber, and what it waits for
    BlockEmulator* block = nullptr;
    int index = 0;
    Call call = Call::none;
    std::size_t bytes = 0;     // shuffles: of the value
    int partner = 0;           // shuffles: mask or lane
    std::uint64_t value = 0;   // shuffles: what it gives
    std::uint64_t result = 0;  // shuffles: what it gets
    float (*c)[4] = nullptr;   // mma
    std::uint32_t const (*a)[4] = nullptr;
    std::uint32_t const (*b)[2] = nullptr;
    hone::detail::Fiber<> fiber{};

    bool same_call(Lane const& other) const {
      return call == other.call && bytes == other.bytes && (call != Call::shuffle_xor || partner == other.partner);
    }
    bool waits_for_warp() const { return fiber.running() && call != Call::none && call != Call::barrier; }
    std::string doing() const {
      std::string const thread = "thread " + std::to_string(index);
      if (!fiber.running()) return thread + " has returned";
      std::string const what = bytes == 0 ? "" : " of " + std::to_string(bytes) + " bytes";
      switch (call) {
        case Call::barrier:
          return thread + " waits at a barrier";
        case Call::warp_barrier:
          return thread + " waits at a warp barrier";
        case Call::shuffle_xor:
          return thread + " waits in shuffle_xor" + what + " with mask " + std::to_string(partner);
        case Call::shuffle:
          return thread + " waits in shuffle" + what;
        case Call::mma:
          return thread + " waits in mma";
        default:
          return thread + " runs";
      }
    }
  };
  struct Cancelled {};  // thrown into the threads of a block that has failed, so that their stacks are cleared

  static void run_lane(void* argument);
  void run_all();
  void run_warp(int warp);
  bool release_warp(int warp);
  bool release_block();
  void exchange(std::size_t first);
  void multiply(std::size_t first);
  void cancel();
  Error not_met() const;
  [[noreturn]] void refuse_index(int thread, Index i, Index size) const;
  std::string place(int thread) const {
    return "block " + std::to_string(block_) + ", " + std::to_string(block_y_) + ", thread " + std::to_string(thread);
  }
  std::string in_kernel() const { return " in kernel " + std::string(name_); }
  Lane& lane(std::size_t thread) const { return *lanes_[thread]; }

  std::vector<std::unique_ptr<Lane>> lanes_{};  // at least threads_
  void (*body_)(void const*, Thread const&) = nullptr;
  void const* kernel_ = nullptr;
  std::string_view name_{};
  int threads_ = 0;
  Index block_ = 0, block_y_ = 0, blocks_ = 0;
  ThreadOrder order_ = ThreadOrder::forward;
  std::uint64_t phase_ = 0;  // seeds the next shuffle
  std::vector<Words4> shared_{};
  std::size_t shared_bytes_ = 0;
  std::exception_ptr failure_{};
  bool cancelled_ = false;
};

/// A piece of a block's shared memory as one thread sees it: an index outside is E731.
template <class T>
class CheckedSpan {
 public:
  CheckedSpan(T* data, Index size, BlockEmulator const& block, int thread)
      : data_(data), size_(size), block_(&block), thread_(thread) {}

  Index size() const { return size_; }
  T& operator[](Index i) const {
    require(i, 1);
    return data_[i];
  }
  /// The piece from value i on.
  CheckedSpan operator+(Index i) const {
    require(i, 0);
    return {data_ + i, size_ - i, *block_, thread_};
  }
  template <class W>
  W load_as(Index i) const {
    require(i, sizeof(W) / sizeof(T));
    return hone::load_as<W>(data_, i);
  }
  template <class W>
  void store_as(Index i, W const& word) const {
    require(i, sizeof(W) / sizeof(T));
    hone::store_as(data_, i, word);
  }

 private:
  void require(Index i, Index count) const {
    if (i < 0 || i > size_ - count) block_->refuse_index(thread_, i, size_);
  }

  T* data_;
  Index size_;
  BlockEmulator const* block_;
  int thread_;
};

/// A thread of the emulated block: the KernelThread of tests.
class BlockEmulator::Thread {
 public:
  Thread(BlockEmulator& block, int index) : block_(&block), index_(index) {}

  int index() const { return index_; }
  int lane() const { return index_ % warp_size; }
  int warp() const { return index_ / warp_size; }
  int threads() const { return block_->threads_; }
  Index block() const { return block_->block_; }
  Index block_y() const { return block_->block_y_; }
  Index blocks() const { return block_->blocks_; }

  void barrier() const { wait(Call::barrier); }
  void warp_barrier() const { wait(Call::warp_barrier); }
  template <class T>
  T shuffle_xor(T value, int mask) const {
    return exchange(Call::shuffle_xor, value, mask);
  }
  template <class T>
  T shuffle(T value, int lane) const {
    return exchange(Call::shuffle, value, lane);
  }
  void mma_bf16(float (&c)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) const {
    Lane& mine = block_->lane(static_cast<std::size_t>(index_));
    mine.c = &c;
    mine.a = &a;
    mine.b = &b;
    wait(Call::mma);
  }

  template <class T>
  CheckedSpan<T> shared(std::size_t byte_offset, Index count) const {
    std::size_t const total = block_->shared_bytes_;
    if (byte_offset % alignof(T) != 0 || byte_offset > total || count < 0 ||
        static_cast<std::size_t>(count) > (total - byte_offset) / sizeof(T)) {
      throw Error(
          732, "more shared memory than the launch gives" + block_->in_kernel(),
          {.value = block_->place(index_) + ": " + std::to_string(count) + " values of " + std::to_string(sizeof(T)) +
                    " bytes from byte " + std::to_string(byte_offset) + " on",
           .allowed = std::to_string(total) + " bytes, an offset that is a multiple of " + std::to_string(alignof(T))},
          "give LaunchShape::shared_bytes what the kernel uses, and pieces aligned offsets");
    }
    auto* const bytes = reinterpret_cast<unsigned char*>(block_->shared_.data());
    return {reinterpret_cast<T*>(bytes + byte_offset), count, *block_, index_};
  }

 private:
  void wait(Call call, std::size_t bytes = 0) const;
  template <class T>
  T exchange(Call call, T value, int partner) const;

  BlockEmulator* block_;
  int index_;
};

using EmulatedThread = BlockEmulator::Thread;

static_assert(KernelThread<EmulatedThread>);

template <BlockKernel K>
void BlockEmulator::run(K const& kernel, LaunchShape const& shape, Index block, Index block_y, ThreadOrder order) {
  name_ = K::name;
  threads_ = K::threads;
  blocks_ = shape.blocks;
  block_ = block;
  block_y_ = block_y;
  order_ = order;
  shared_bytes_ = shape.shared_bytes;
  kernel_ = &kernel;
  body_ = [](void const* it, Thread const& thread) { (*static_cast<K const*>(it))(thread); };
  run_all();
}

inline void BlockEmulator::run_lane(void* argument) {
  auto const& lane = *static_cast<Lane const*>(argument);
  BlockEmulator& block = *lane.block;
  if (block.cancelled_) return;
  try {
    block.body_(block.kernel_, Thread(block, lane.index));
  } catch (Cancelled const&) {
  } catch (...) {
    if (!block.failure_) block.failure_ = std::current_exception();
  }
}

inline void BlockEmulator::run_all() {
  // NaN for every format: what is read before it is written shows.
  shared_.assign((shared_bytes_ + sizeof(Words4) - 1) / sizeof(Words4), Words4{{~0u, ~0u, ~0u, ~0u}});
  failure_ = nullptr;
  cancelled_ = false;
  phase_ = static_cast<std::uint64_t>(block_y_ * blocks_ + block_) << 20;
  auto const threads = static_cast<std::size_t>(threads_);
  while (lanes_.size() < threads) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->block = this;
    lanes_.back()->index = static_cast<int>(lanes_.size()) - 1;
  }
  for (std::size_t i = 0; i < threads; ++i) {
    lane(i).call = Call::none;
    lane(i).fiber.start(&run_lane, lanes_[i].get());
  }
  do {
    for (Index const warp : in_order(order_, threads_ / warp_size, ++phase_)) {
      if (!failure_) run_warp(static_cast<int>(warp));
    }
  } while (!failure_ && release_block());
  if (!failure_) {
    for (std::size_t i = 0; i < threads && !failure_; ++i) {
      if (lane(i).fiber.running()) failure_ = std::make_exception_ptr(not_met());
    }
  }
  if (failure_) {
    cancel();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

/// Runs a warp until its lanes have returned or wait for the block, or do not meet.
inline void BlockEmulator::run_warp(int warp) {
  std::size_t const first = static_cast<std::size_t>(warp) * warp_size;
  auto const forward_or_back = in_order(order_, warp_size, phase_);
  do {
    auto const& numbers = order_ == ThreadOrder::shuffled ? in_order(order_, warp_size, ++phase_) : forward_or_back;
    for (Index const i : numbers) {
      Lane& one = lane(first + static_cast<std::size_t>(i));
      if (one.fiber.running() && one.call == Call::none) one.fiber.resume();
      if (failure_) return;
    }
  } while (release_warp(warp));
}

/// Lets the lanes of a warp go on if all of them wait for each other in the same way.
inline bool BlockEmulator::release_warp(int warp) {
  std::size_t const first = static_cast<std::size_t>(warp) * warp_size;
  for (std::size_t i = first; i < first + warp_size; ++i) {
    if (!lane(i).waits_for_warp() || !lane(i).same_call(lane(first))) return false;
  }
  if (lane(first).call == Call::mma) multiply(first);
  if (lane(first).call == Call::shuffle || lane(first).call == Call::shuffle_xor) exchange(first);
  for (std::size_t i = first; i < first + warp_size; ++i) lane(i).call = Call::none;
  return true;
}

/// Lets all threads go on if all of them wait at a barrier.
inline bool BlockEmulator::release_block() {
  auto const threads = static_cast<std::size_t>(threads_);
  for (std::size_t i = 0; i < threads; ++i) {
    if (!lane(i).fiber.running() || lane(i).call != Call::barrier) return false;
  }
  for (std::size_t i = 0; i < threads; ++i) lane(i).call = Call::none;
  return true;
}

inline void BlockEmulator::exchange(std::size_t first) {
  for (std::size_t i = 0; i < warp_size; ++i) {
    auto const partner = static_cast<std::size_t>(lane(first + i).partner);
    lane(first + i).result = lane(first + (lane(first).call == Call::shuffle ? partner : i ^ partner)).value;
  }
}

/// mma.m16n8k16, row.col, bfloat16: gathers A (16, 16) and B (16, 8) from the registers of the lanes. PTX ISA 8.7, section
/// 9.7.14.5.8: with group = lane / 4 and its place = lane % 4, register r of A holds row group + 8 * (r odd), columns
/// 2 * place + 8 * (r >= 2) and the next; register r of B rows 2 * place + 8 * r and the next, column group; value i of C
/// row group + 8 * (i >= 2), column 2 * place + i % 2.
inline void BlockEmulator::multiply(std::size_t first) {
  std::array<std::array<float, 16>, 16> a{};
  std::array<std::array<float, 8>, 16> b{};
  auto const half = [](std::uint32_t pair, std::size_t which) {
    return static_cast<float>(bfloat16::from_bits(static_cast<std::uint16_t>(pair >> (16 * which))));
  };
  for (std::size_t i = 0; i < warp_size; ++i) {
    std::size_t const group = i / 4, column = 2 * (i % 4);
    for (std::size_t which = 0; which < 2; ++which) {
      for (std::size_t r = 0; r < 4; ++r) {
        a[group + 8 * (r % 2)][column + 8 * (r / 2) + which] = half((*lane(first + i).a)[r], which);
      }
      for (std::size_t r = 0; r < 2; ++r) b[column + 8 * r + which][group] = half((*lane(first + i).b)[r], which);
    }
  }
  for (std::size_t i = 0; i < warp_size; ++i) {
    for (std::size_t e = 0; e < 4; ++e) {
      std::size_t const row = i / 4 + 8 * (e / 2), column = 2 * (i % 4) + e % 2;
      float sum = (*lane(first + i).c)[e];
      for (std::size_t k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      (*lane(first + i).c)[e] = sum;
    }
  }
}

/// Ends the threads that still wait, so that what their stacks hold is destroyed.
inline void BlockEmulator::cancel() {
  cancelled_ = true;
  for (auto const& one : lanes_) {
    while (one->fiber.running()) one->fiber.resume();
  }
}

inline Error BlockEmulator::not_met() const {
  auto const threads = static_cast<std::size_t>(threads_);
  std::size_t waiting = threads, missing = threads;
  for (std::size_t i = 0; i < threads && waiting == threads; ++i) {  // in a warp whose lanes do not meet, if there is one
    if (lane(i).waits_for_warp()) waiting = i;
  }
  bool const in_warp = waiting < threads;
  for (std::size_t i = 0; i < threads && waiting == threads; ++i) {
    if (lane(i).fiber.running()) waiting = i;
  }
  std::size_t const begin = in_warp ? waiting / warp_size * warp_size : 0, end = in_warp ? begin + warp_size : threads;
  for (std::size_t i = begin; i < end && missing == threads; ++i) {
    if (!lane(i).fiber.running() || !lane(i).same_call(lane(waiting))) missing = i;
  }
  return Error(
      730, "the threads of a block do not meet" + in_kernel(),
      {.value = "block " + std::to_string(block_) + ", " + std::to_string(block_y_) + ": " + lane(waiting).doing() + ", " +
                (missing < threads ? lane(missing).doing() : "others do not"),
       .allowed = in_warp ? "every lane of the warp comes to the same call" : "every thread comes to every barrier"},
      "take barriers and exchanges between lanes out of branches, and let no thread return before the last of them");
}

inline void BlockEmulator::refuse_index(int thread, Index i, Index size) const {
  throw Error(731, "an index outside shared memory" + in_kernel(),
              {.value = place(thread) + ": index " + std::to_string(i),
               .allowed = size > 0 ? "0 to " + std::to_string(size - 1) : std::string("none, the piece is empty")},
              "correct the index, or ask for a larger piece of shared memory");
}

inline void BlockEmulator::Thread::wait(Call call, std::size_t bytes) const {
  Lane& mine = block_->lane(static_cast<std::size_t>(index_));
  mine.call = call;
  mine.bytes = bytes;
  mine.fiber.pause();
  if (block_->cancelled_) throw Cancelled{};
}

template <class T>
T BlockEmulator::Thread::exchange(Call call, T value, int partner) const {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "shuffles take 4 or 8 bytes");
  if (partner < 0 || partner >= warp_size) {
    throw Error(735, "an exchange with a lane that does not exist" + block_->in_kernel(),
                {.value = block_->place(index_) + ": " + std::to_string(partner), .allowed = "0 to 31"},
                "correct the lane or the mask");
  }
  Lane& mine = block_->lane(static_cast<std::size_t>(index_));
  mine.partner = partner;
  mine.value = 0;
  std::memcpy(&mine.value, &value, sizeof(T));
  wait(call, sizeof(T));
  std::memcpy(&value, &mine.result, sizeof(T));
  return value;
}

}  // namespace hone::testing
