#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/cuda/kernels.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/generic/backend.hpp"
#include "hone/testing/block_emulator.hpp"

namespace hone::testing {

/// How an emulating context is made.
struct EmulatorOptions {
  int threads = 1;  ///< threads of the host, for what runs through for_each; blocks run one after another
  ThreadOrder order = ThreadOrder::forward;
  bool poison_zones = true;  ///< under AddressSanitizer: reading between allocations is its error as well
};

/// A HostContext on which the kernels of cuda/ run: block by block, in a chosen order, watched. See BlockEmulator.
///
/// Every allocation begins as NaN, like a device's memory that nobody promised to clear, and lies between zones whose
/// values are compared after every launch: E733 names the kernel that wrote there.
class EmulatorContext : public HostContext {
 public:
  explicit EmulatorContext(EmulatorOptions options = {})
      : HostContext({.threads = options.threads}), order_(options.order), poison_zones_(options.poison_zones) {}
  EmulatorContext(EmulatorContext const&) = delete;
  EmulatorContext& operator=(EmulatorContext const&) = delete;
  ~EmulatorContext() { release_scratch(); }

  ThreadOrder order() const { return order_; }
  void set_order(ThreadOrder order) { order_ = order; }
  /// Launches that ran at least one block, by the names of their kernels, in their order since the last call.
  std::vector<std::string_view> take_launches() { return std::exchange(launches_, {}); }

  void* allocate(std::size_t bytes) {
    auto* const begin = static_cast<unsigned char*>(HostContext::allocate(bytes + 2 * zone_bytes));
    std::memset(begin, zone_value, zone_bytes);
    std::memset(begin + zone_bytes, 0xFF, bytes);
    std::memset(begin + zone_bytes + bytes, zone_value, zone_bytes);
    allocations_.push_back({begin, bytes});
    poison(allocations_.back(), true);
    return begin + zone_bytes;
  }
  /// Does not throw: what was written beside the allocation is an error of the next launch or synchronize().
  void deallocate(void* memory, std::size_t bytes) {
    for (std::size_t i = 0; i < allocations_.size(); ++i) {
      Allocation const allocation = allocations_[i];
      if (allocation.begin + zone_bytes != memory) continue;
      poison(allocation, false);
      if (!damage_) damage_ = damage(allocation, "one that has ended");
      allocations_.erase(allocations_.begin() + static_cast<std::ptrdiff_t>(i));
      HostContext::deallocate(allocation.begin, allocation.bytes + 2 * zone_bytes);
      return;
    }
    HostContext::deallocate(memory, bytes);
  }
  void synchronize() { check_zones("for_each or the host"); }

  /// Memory for the partial results of kernels, valid until the next call; NaN again each time.
  void* scratch(std::size_t bytes) {
    release_scratch();
    scratch_ = allocate(bytes);
    scratch_bytes_ = bytes;
    return scratch_;
  }

  /// Runs the kernel's blocks and returns when all have ended.
  template <BlockKernel K>
  void launch(LaunchShape const& shape, K const& kernel) {
    check_launch(K::name, shape);
    check_zones("for_each or the host");
    if (shape.blocks == 0 || shape.blocks_y == 0) return;
    launches_.emplace_back(K::name);
    for (Index const block : in_order(order_, shape.blocks * shape.blocks_y, launches_.size())) {
      emulator_.run(kernel, shape, block % shape.blocks, block / shape.blocks, order_);
    }
    check_zones(K::name);
  }

 private:
  struct Allocation {
    unsigned char* begin;  // of the zone below
    std::size_t bytes;     // of the values between the zones
  };
  static constexpr std::size_t zone_bytes = 1024;  // keeps the alignment
  static constexpr int zone_value = 0xFB;          // read as a number: -2.6e36

  void release_scratch() {
    if (scratch_) deallocate(std::exchange(scratch_, nullptr), scratch_bytes_);
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
  std::vector<Allocation> allocations_{};
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
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
