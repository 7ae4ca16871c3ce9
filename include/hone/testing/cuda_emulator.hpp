#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/core/sha256.hpp"
#include "hone/core/step.hpp"
#include "hone/cuda/kernels.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/generic/backend.hpp"
#include "hone/testing/block_emulator.hpp"
#include "hone/testing/device_pages.hpp"

namespace hone::testing {

/// How an emulating context is made.
struct EmulatorOptions {
  int threads = 1;  ///< threads of the host, for what runs through for_each; blocks run one after another
  ThreadOrder order = ThreadOrder::forward;
  bool poison_zones = true;  ///< under AddressSanitizer: reading between allocations is its error as well
  bool record_steps =
      true;  ///< the work of a step is put off until its body has returned, as in a graph; false: done at once
  bool hide_memory = true;  ///< the host cannot touch what was allocated, as on a device: doing so ends the program
};

/// A HostContext on which the kernels of cuda/ run: block by block, in a chosen order, watched. See BlockEmulator.
///
/// Every allocation begins as NaN, like a device's memory that nobody promised to clear, is out of the host's reach
/// (DevicePages: a segmentation fault is code that would fail on a device too), and lies between zones whose
/// values are compared after every launch: E733 names the kernel that wrote there.
///
/// What happens within `step` is written down and done when the body has returned, as a graph would do it: the body is run
/// twice, as where a graph could not be made the first time, and what it may not do is E736. Uploads from pinned memory
/// must find it unchanged when the context is next synchronised (E737), scratch memory must have been planned where
/// anything was (E739).
class EmulatorContext : public HostContext {
 public:
  explicit EmulatorContext(EmulatorOptions options = {})
      : HostContext({.threads = options.threads}),
        order_(options.order),
        poison_zones_(options.poison_zones),
        record_steps_(options.record_steps),
        pages_(options.hide_memory) {}
  EmulatorContext(EmulatorContext const&) = delete;
  EmulatorContext& operator=(EmulatorContext const&) = delete;
  ~EmulatorContext() {
    drop_old_scratch();
    release_scratch();
  }

  ThreadOrder order() const { return order_; }
  void set_order(ThreadOrder order) { order_ = order; }
  /// Launches that ran at least one block, by the names of their kernels, in their order since the last call.
  std::vector<std::string_view> take_launches() { return std::exchange(launches_, {}); }

  /// Bytes that are taken now, and the most at once so far: what a device would hold, without the zones.
  std::size_t bytes() const { return held_ + scratch_reserved_; }
  std::size_t peak_bytes() const { return peak_; }

  void* allocate(std::size_t bytes) {
    refuse_in_step("took memory");
    count(bytes);
    return take(bytes);
  }
  /// Does not throw: what was written beside the allocation is an error of the next launch or synchronize().
  void deallocate(void* memory, std::size_t bytes) {
    if (recording_ && !damage_) damage_ = refusal("gave back memory");
    if (give(memory)) {
      held_ -= bytes;
    } else {
      HostContext::deallocate(memory, bytes);
    }
  }
  void upload(void* to, void const* from, std::size_t bytes) {
    refuse_in_step("copied to the device");
    DevicePages::Open const open(pages_);
    HostContext::upload(to, from, bytes);
  }
  void download(void* to, void const* from, std::size_t bytes) {
    refuse_in_step("read a result");
    DevicePages::Open const open(pages_);
    HostContext::download(to, from, bytes);
  }
  void fill_zero(void* to, std::size_t bytes) {
    work([this, to, bytes] { HostContext::fill_zero(to, bytes); });
  }
  void synchronize() {
    refuse_in_step("waited");
    for (Pinned const& copy : std::exchange(pinned_copies_, {}))
      if (checksum(copy.memory, copy.bytes) != copy.sum)
        throw Error(737, "memory was changed before it was copied to the device",
                    {.value = std::to_string(copy.bytes) + " bytes of pinned memory"},
                    "fill other memory, or synchronise first");
    check_zones("for_each or the host");
  }

  void* allocate_pinned(std::size_t bytes) { return HostContext::allocate(bytes); }
  void deallocate_pinned(void* memory, std::size_t bytes) {
    for (std::size_t i = pinned_copies_.size(); i-- > 0;)
      if (pinned_copies_[i].memory == memory) pinned_copies_.erase(pinned_copies_.begin() + static_cast<std::ptrdiff_t>(i));
    HostContext::deallocate(memory, bytes);
  }
  void upload_pinned(void* to, void const* from, std::size_t bytes) {
    upload(to, from, bytes);
    pinned_copies_.push_back({from, bytes, checksum(from, bytes)});
  }

  /// Memory for the partial results of kernels, valid until the next call; NaN again each time.
  void* scratch(std::size_t bytes) {
    if (scratch_planned_ && bytes > *scratch_planned_)
      throw Error(739, "a kernel asks for more scratch memory than was planned",
                  {.value = std::to_string(bytes) + " bytes", .allowed = std::to_string(*scratch_planned_)},
                  "count it: scratch_bytes of the kernel, Plan::kernel in the layer");
    if (!scratch_planned_) scratch_reserved_ = std::max(scratch_reserved_, bytes);
    count(0);
    if (recording_ && scratch_) {  // its kernels are still to run; NaN as soon as they have
      old_scratch_.push_back({scratch_, scratch_bytes_});
      work([old = old_scratch_.back()] { std::memset(old.memory, 0xFF, old.bytes); });
    } else {
      release_scratch();
    }
    scratch_ = take(bytes);
    scratch_bytes_ = bytes;
    return scratch_;
  }
  /// As on a device: with_reserve(bytes) is held from now on.
  void reserve_scratch(std::size_t bytes) {
    scratch_planned_ = std::max(scratch_planned_.value_or(0), bytes);
    if (bytes <= scratch_reserved_) return;
    scratch_reserved_ = with_reserve(bytes);
    count(0);
  }

  /// Runs body() and then what it asked for; see the class.
  template <class Body>
  void step(StepKey const&, Body const& body) {
    if (recording_ || !record_steps_) return body();
    try {
      recording_ = true;
      body();
      recorded_.clear();
      body();
      recording_ = false;
    } catch (...) {
      recording_ = false;
      recorded_.clear();
      drop_old_scratch();
      throw;
    }
    auto const recorded = std::exchange(recorded_, {});
    for (auto const& one : recorded) work(one);
    drop_old_scratch();
    ++steps_;
  }
  /// Bodies whose work was put off.
  std::size_t recorded_steps() const { return steps_; }

  template <class Functor>
  void for_each(Index count, Functor const& functor) {
    work([this, count, functor] { HostContext::for_each(count, functor); });
  }

  /// Runs the kernel's blocks and returns when all have ended.
  template <BlockKernel K>
  void launch(LaunchShape const& shape, K const& kernel) {
    check_launch(K::name, shape);
    work([this, shape, kernel] { run_blocks(shape, kernel); });
  }

 private:
  struct Allocation {
    unsigned char* begin;  // of the zone below
    std::size_t bytes;     // of the values between the zones
  };
  struct Scratch {
    void* memory;
    std::size_t bytes;
  };
  struct Pinned {  // copied since the last synchronisation
    void const* memory;
    std::size_t bytes;
    std::string sum;
  };
  static constexpr std::size_t zone_bytes = 1024;  // keeps the alignment
  static constexpr int zone_value = 0xFB;          // read as a number: -2.6e36

  /// Does it now, on the device's memory, or writes it down.
  template <class Work>
  void work(Work const& one) {
    if (recording_) {
      recorded_.push_back(one);
    } else {
      DevicePages::Open const open(pages_);
      one();
    }
  }
  template <BlockKernel K>
  void run_blocks(LaunchShape const& shape, K const& kernel) {
    check_zones("for_each or the host");
    if (shape.blocks == 0 || shape.blocks_y == 0) return;
    launches_.emplace_back(K::name);
    for (Index const block : in_order(order_, shape.blocks * shape.blocks_y, launches_.size())) {
      emulator_.run(kernel, shape, block % shape.blocks, block / shape.blocks, order_);
    }
    check_zones(K::name);
  }

  static Error refusal(char const* did) {
    return Error(736, "the body of a step did what it may not",
                 {.value = did, .allowed = "operations, and filling with zero"},
                 "take it out of the body: before run_step, or after it");
  }
  void refuse_in_step(char const* did) const {
    if (recording_) throw refusal(did);
  }
  static std::string checksum(void const* memory, std::size_t bytes) {
    Sha256 sum;
    sum.update(memory, bytes);
    return sum.hex();
  }
  void count(std::size_t bytes) {
    held_ += bytes;
    peak_ = std::max(peak_, held_ + scratch_reserved_);
  }
  void* take(std::size_t bytes) {
    auto* const begin = pages_.take(bytes + 2 * zone_bytes);
    DevicePages::Open const open(pages_);
    std::memset(begin, zone_value, zone_bytes);
    std::memset(begin + zone_bytes, 0xFF, bytes);
    std::memset(begin + zone_bytes + bytes, zone_value, zone_bytes);
    allocations_.push_back({begin, bytes});
    poison(allocations_.back(), true);
    return begin + zone_bytes;
  }
  /// False: no memory of take().
  bool give(void* memory) {
    for (std::size_t i = 0; i < allocations_.size(); ++i) {
      Allocation const allocation = allocations_[i];
      if (allocation.begin + zone_bytes != memory) continue;
      DevicePages::Open const open(pages_);
      poison(allocation, false);
      if (!damage_) damage_ = damage(allocation, "one that has ended");
      allocations_.erase(allocations_.begin() + static_cast<std::ptrdiff_t>(i));
      pages_.give(allocation.begin, allocation.bytes + 2 * zone_bytes);
      return true;
    }
    return false;
  }

  void release_scratch() {
    if (scratch_) give(std::exchange(scratch_, nullptr));
  }
  void drop_old_scratch() {
    for (Scratch const& old : std::exchange(old_scratch_, {})) give(old.memory);
  }

  void poison([[maybe_unused]] Allocation const& allocation, [[maybe_unused]] bool on) const {
#if defined(HONE_ADDRESS_SANITIZER)
    if (!poison_zones_) return;
    for (auto* const zone : {allocation.begin, allocation.begin + zone_bytes + allocation.bytes}) {
      if (on) __asan_poison_memory_region(zone, zone_bytes);
      if (!on) __asan_unpoison_memory_region(zone, zone_bytes);
    }
#endif
  }

  /// What was written beside an allocation; nothing: nullopt.
  std::optional<Error> damage(Allocation const& allocation, std::string_view writer) const {
    unsigned char const* const data = allocation.begin + zone_bytes;
    for (std::size_t i = 0; i < zone_bytes; ++i) {
      if (data[-1 - static_cast<std::ptrdiff_t>(i)] != zone_value)
        return written(allocation, i + 1, "before its begin", writer);
      if (data[allocation.bytes + i] != zone_value) return written(allocation, i, "after its end", writer);
    }
    return std::nullopt;
  }
  static Error written(Allocation const& allocation, std::size_t distance, char const* side, std::string_view writer) {
    return Error(733, "memory beside an allocation was written by " + std::string(writer),
                 {.value = "a change " + std::to_string(distance) + " bytes " + side,
                  .allowed = "the " + std::to_string(allocation.bytes) + " bytes of the allocation"},
                 "look for a row, a column or the tail of a tile that is stored without asking whether it is inside");
  }
  void check_zones(std::string_view writer) {
    if (damage_) throw Error(*std::exchange(damage_, std::nullopt));
#if defined(HONE_ADDRESS_SANITIZER)
    if (poison_zones_) return;  // it has seen to it
#endif
    DevicePages::Open const open(pages_);
    for (auto const& allocation : allocations_) {
      auto found = damage(allocation, writer);
      if (!found) continue;
      std::memset(allocation.begin, zone_value, zone_bytes);  // reported once
      std::memset(allocation.begin + zone_bytes + allocation.bytes, zone_value, zone_bytes);
      throw Error(*found);
    }
  }

  BlockEmulator emulator_{};
  ThreadOrder order_;
  [[maybe_unused]] bool poison_zones_;
  bool record_steps_, recording_ = false;
  DevicePages pages_;
  std::vector<std::function<void()>> recorded_{};  // the work of the step whose body runs, in order
  std::size_t steps_ = 0;
  std::vector<Allocation> allocations_{};
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0, scratch_reserved_ = 0;
  std::optional<std::size_t> scratch_planned_{};
  std::vector<Scratch> old_scratch_{};  // of the step whose body runs
  std::vector<Pinned> pinned_copies_{};
  std::size_t held_ = 0, peak_ = 0;
  std::optional<Error> damage_{};
  std::vector<std::string_view> launches_{};
};

/// The kernels of cuda/ on the host: fused kernels where there are any, else generic/. For tests.
template <class P = fp32>
struct CudaEmulator {
  using Precision = P;
  using Context = EmulatorContext;
  using Options = EmulatorOptions;
  using Ladder = hone::Ladder<CudaRung, GenericRung>;
  static constexpr std::string_view name = "cuda_emulator";
};

static_assert(Backend<CudaEmulator<fp32>> && Backend<CudaEmulator<mixed>>);

}  // namespace hone::testing
