#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "hone/core/bfloat16.hpp"
#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/host_memory.hpp"
#include "hone/core/matrix.hpp"

namespace hone::detail {

/// bfloat16 operands are packed in squares of this side: see cpu/simd/pack_bfloat16.inl.
inline constexpr Index packed_side = 32;
/// Values of one square.
inline constexpr Index packed_step = packed_side * packed_side;

/// Squares that cover `size` rows, columns, or values of the inner dimension.
constexpr Index packed_squares(Index size) { return (size + packed_side - 1) / packed_side; }

/// How a product of squares is blocked (cpu/simd/block_product.inl). An inner dimension of more than `long_steps` squares
/// goes through in pieces of up to `piece_steps`, of which a left block's stays in the nearest cache for all right blocks;
/// sums wait in memory for the next piece.
struct SquareProduct {
  Index resident_bytes;  ///< of the second cache that right blocks may take: what a neighbour on the core leaves
  Index whole_bytes;     ///< or all of them may take, since left blocks come once then
  Index long_steps, piece_steps;

  /// How many right blocks of so many steps are resident at a time.
  constexpr Index resident_blocks(Index steps, Index column_blocks) const {
    Index const block_bytes = steps * packed_step * Index{sizeof(bfloat16)};
    if (column_blocks * block_bytes <= whole_bytes) return column_blocks;
    return std::clamp<Index>(resident_bytes / block_bytes, 1, column_blocks);
  }
  /// Values of the sums that wait for the next piece.
  constexpr Index waiting_sums(Index steps, Index column_blocks) const {
    return steps > long_steps ? resident_blocks(steps, column_blocks) * packed_step : 0;
  }
};
/// Tiles wait for left blocks from the third cache; a piece of 16 squares is 32 KiB.
inline constexpr SquareProduct products_on_tiles{800 * 1024, 1250 * 1024, 24, 16};
inline constexpr SquareProduct products_by_dots{800 * 1024, 800 * 1024, std::numeric_limits<Index>::max(), 16};

/// Which product a weight is packed for.
enum class WeightForm : std::uint8_t {
  forward,         ///< y = x W^T
  input_gradient,  ///< dx = dy W
};
/// How: the layouts of several kernels may be kept side by side.
enum class WeightFormat : std::uint8_t { bfloat16_squares, panels_128, panels_256, panels_512 };

/// Weights as the kernels for products read them, kept from call to call: packed again when their version changes, into the
/// memory that they have. A version number is given to one state of one set of weights, never again in the process.
///
/// Thread-safe as long as nobody asks for a weight's next version while the one before is in use.
class PackedWeights {
 public:
  PackedWeights() = default;
  PackedWeights(PackedWeights const&) = delete;
  PackedWeights& operator=(PackedWeights const&) = delete;
  ~PackedWeights();

  /// `count` values of T, 64-byte aligned, that `pack(T*)` wrote for this weight and version; valid until the next version
  /// is asked for. `version` is not 0. Throws E711 when there is not so much memory.
  template <class T, class W, class Pack>
  T const* packed(MatrixView<W const> weight, WeightForm form, WeightFormat format, std::uint64_t version, Index count,
                  Pack const& pack) {
    std::lock_guard<std::mutex> lock(mutex_);
    Key const key(weight.data, weight.rows, weight.cols, weight.stride, form, format);  // nvcc takes no braces here
    Entry& entry = entry_of(key);
    if (entry.version == version) return static_cast<T const*>(entry.data);
    entry.version = 0;  // until it is whole
    make_room(entry, static_cast<std::size_t>(count) * sizeof(T));
    pack(static_cast<T*>(entry.data));
    entry.version = version;
    return static_cast<T const*>(entry.data);
  }

  /// Bytes that are held.
  std::size_t bytes() const;

 private:
  using Key = std::tuple<void const*, Index, Index, Index, WeightForm, WeightFormat>;
  struct Entry {
    void* data = nullptr;
    std::size_t bytes = 0;
    std::uint64_t version = 0, used = 0;
  };
  static constexpr std::uint64_t kept_calls = 10000;  ///< several steps of the deepest model

  /// A weight's entry, which is new where nobody has asked for it in a long time.
  Entry& entry_of(Key const& key);
  static void make_room(Entry& entry, std::size_t bytes);
  static void release(Entry& entry);
  /// Models come and go: what was not asked for in a long time is given back.
  void forget_unused();

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::uint64_t clock_ = 0;
};

#if HONE_BODIES

HONE_INLINE PackedWeights::~PackedWeights() {
  for (auto& [key, entry] : entries_) release(entry);
}

HONE_INLINE PackedWeights::Entry& PackedWeights::entry_of(Key const& key) {
  ++clock_;
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    forget_unused();
    found = entries_.emplace(key, Entry{}).first;
  }
  found->second.used = clock_;
  return found->second;
}

HONE_INLINE void PackedWeights::make_room(Entry& entry, std::size_t bytes) {
  if (entry.bytes >= bytes) return;
  release(entry);
  entry.data = allocate_host_memory(bytes);
  if (!entry.data)
    throw Error(711, "memory could not be allocated", {.value = std::to_string(bytes) + " bytes"},
                "use a smaller batch or a smaller model, or a machine with more memory");
  entry.bytes = bytes;
}

HONE_INLINE void PackedWeights::release(Entry& entry) {
  free_host_memory(entry.data, entry.bytes);
  entry.data = nullptr;
  entry.bytes = 0;
}

HONE_INLINE std::size_t PackedWeights::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::size_t sum = 0;
  for (auto const& [key, entry] : entries_) sum += entry.bytes;
  return sum;
}

HONE_INLINE void PackedWeights::forget_unused() {
  for (auto entry = entries_.begin(); entry != entries_.end();)
    if (clock_ - entry->second.used > kept_calls) {
      release(entry->second);
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
}

#endif

}  // namespace hone::detail
