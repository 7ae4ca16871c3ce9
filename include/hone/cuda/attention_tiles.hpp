#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "hone/core/bfloat16.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/rounding.hpp"
#include "hone/cuda/mma.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/cuda/warp.hpp"

namespace hone::detail {

// What the attention kernels share: how a batch is cut into tiles, rows into shared memory and out of it, dropout masks.

/// Rows first .. first + tile - 1 of a sequence, where a block works; nothing is left to do where first >= count.
struct SequenceTile {
  Index sequence;
  Index begin;  ///< the sequence's first row in the matrix
  int count;    ///< rows of the sequence
  int first;    ///< of the tile, in the sequence
};

/// How many blocks take all tiles of `rows` rows in `sequences` sequences, whatever their lengths.
///
/// Sequence b gets the tile numbers from offsets[b] / tile + b on. Since floor(x + y) >= floor(x) + floor(y), these are at
/// least ceil(length / tile) numbers, so that the host need not know the offsets; at most one number a sequence is idle.
HONE_HOST_DEVICE inline Index tile_count(Index rows, Index sequences, int tile) { return rows / tile + sequences; }

/// The tile of a number below tile_count: the last sequence whose first number is not above it.
HONE_HOST_DEVICE inline SequenceTile find_tile(VectorView<std::int32_t const> offsets, int tile, Index number) {
  Index low = 0, high = offsets.size - 1;
  while (high - low > 1) {
    Index const middle = (low + high) / 2;
    if (offsets[middle] / tile + middle <= number) low = middle;
    else high = middle;
  }
  Index const begin = offsets[low], count = offsets[low + 1] - begin, first = (number - begin / tile - low) * tile;
  return {low, begin, static_cast<int>(count), static_cast<int>(first < count ? first : count)};
}

/// Values that one 16-byte access moves.
template <class A>
inline constexpr int piece = 16 / static_cast<int>(sizeof(A));

/// Whether every head of every row begins and ends at a multiple of 16 bytes. Asked on the host, once a launch.
template <class T>
bool has_whole_pieces(MatrixView<T> matrix, Index width) {
  Index const bytes = static_cast<Index>(sizeof(T));
  return is_aligned_for<Words4>(matrix.data) && matrix.stride * bytes % 16 == 0 && width * bytes % 16 == 0;
}

/// Copies 16 bytes into shared memory, or zeros. On a device they arrive later: see await_copies.
template <class Values, class A>
HONE_HOST_DEVICE inline void copy_piece(Values const& to, int at, A const* from, bool inside) {
#if defined(__CUDA_ARCH__)
  auto const address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to + at));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(__cvta_generic_to_global(from)),
               "r"(inside ? 16 : 0)
               : "memory");
#else
  store_as<Words4>(to, at, inside ? load_as<Words4>(from, 0) : Words4{});
#endif
}

/// Waits for the copies that this thread has begun; a barrier makes them seen by the others.
HONE_HOST_DEVICE inline void await_copies() {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/// What the host knows of a launch. S: the format of sums.
template <class S>
struct AttentionPlan {
  int width;          ///< columns of a head, E
  bool whole_pieces;  ///< whether 16 bytes may be moved at once
  S scale;            ///< of scores
  S kept;             ///< what kept probabilities are multiplied with
};

/// One head's columns of some rows: `count` rows of `width` values from `data` on.
template <class A>
struct HeadRows {
  A* data;
  Index stride;
  int count, width;
  bool whole_pieces;

  template <class S>
  HONE_HOST_DEVICE static HeadRows of(MatrixView<A> matrix, Index begin, int count, Index head,
                                      AttentionPlan<S> const& plan) {
    return {matrix.row(begin) + head * plan.width, matrix.stride, count, plan.width, plan.whole_pieces};
  }
};

/// Values from one row of a tile in shared memory to the next: 16 bytes more than the row, so that the eight rows that one
/// 8 x 8 matrix load reads lie in different banks.
template <class A, int W>
inline constexpr int tile_stride = W + piece<A>;

template <class A, int W>
inline constexpr int tile_values(int rows) {
  return rows * tile_stride<A, W>;
}

/// Rows first .. first + rows - 1 into a tile (rows, W), zeros beyond the last row and column. All `threads` of the block
/// call; await_copies and a barrier make it complete.
template <int rows, int W, int threads, class Thread, class Values, class A>
HONE_HOST_DEVICE inline void load_tile(Thread const& thread, Values const& to, HeadRows<A const> const& from, int first) {
  constexpr int pieces = W / piece<A>, across = pieces < threads ? pieces : threads, step = threads / across;
  static_assert(threads % across == 0 && pieces % across == 0 && rows % step == 0);
  int const row = thread.index() / across, column = thread.index() % across * piece<A>;
  int const at = row * tile_stride<A, W> + column, rows_left = from.count - first - row;
  A const* const source = from.data + (first + row) * from.stride + column;
  HONE_DEVICE_UNROLL
  for (int c = 0; c < W; c += across * piece<A>) {
    if (from.whole_pieces) {
      HONE_DEVICE_UNROLL
      for (int r = 0; r < rows; r += step) {
        bool const inside = r < rows_left && column + c < from.width;
        copy_piece(to, at + r * tile_stride<A, W> + c, inside ? source + r * from.stride + c : from.data, inside);
      }
    } else {
      for (int r = 0; r < rows; r += step)
        for (int i = c; i < c + piece<A>; ++i)
          to[at + r * tile_stride<A, W> + i] = r < rows_left && column + i < from.width ? source[r * from.stride + i] : A(0);
    }
  }
}

/// factor[m][upper or lower] * sums in the format of a tile, at row `row` of it.
template <int W, class A, class Thread, class Values, class S, int M>
HONE_HOST_DEVICE inline void put_sums(Thread const& thread, Values const& tile, int row, S const (&sums)[M][W / 8][4],
                                      S const (&factor)[M][2]) {
  HONE_UNROLL
  for (int m = 0; m < M; ++m)
    HONE_UNROLL
    for (int half = 0; half < 2; ++half)
      HONE_UNROLL
      for (int t = 0; t < W / 8; ++t) {
        int const at = (row + 16 * m + mma_row(thread, 2 * half)) * tile_stride<A, W> + mma_column(thread, t, 0);
        S const left = sums[m][t][2 * half] * factor[m][half], right = sums[m][t][2 * half + 1] * factor[m][half];
        if constexpr (std::is_same_v<A, bfloat16>) {
          store_as<std::uint32_t>(tile, at, pack_bf16(left, right));
        } else {
          tile[at] = left;
          tile[at + 1] = right;
        }
      }
}

/// Writes factor[m][upper or lower] * sums as rows first .. of `to`, by way of a tile in shared memory whose rows
/// tile_row .. tile_row + 16 M - 1 belong to this warp alone, so that neighbouring lanes write neighbouring columns.
template <int W, class Thread, class Values, class S, int M, class A>
HONE_HOST_DEVICE inline void store_tile(Thread const& thread, Values const& tile, int tile_row,
                                        S const (&sums)[M][W / 8][4], S const (&factor)[M][2], HeadRows<A> const& to,
                                        int first) {
  constexpr int pieces = W / piece<A>;
  thread.warp_barrier();  // every lane has read what the tile held
  put_sums<W, A>(thread, tile, tile_row, sums, factor);
  thread.warp_barrier();
  for (int i = thread.lane(); i < 16 * M * pieces; i += warp_size) {
    int const row = i / pieces, col = i % pieces * piece<A>, at = (tile_row + row) * tile_stride<A, W> + col;
    if (first + row >= to.count || col >= to.width) continue;
    A* const target = to.data + (first + row) * to.stride + col;
    if (to.whole_pieces) {
      store_as<Words4>(target, 0, load_as<Words4>(tile, at));
    } else {
      for (int c = 0; c < piece<A> && col + c < to.width; ++c) target[c] = tile[at + c];
    }
  }
}

/// exp(x) for x <= 0. On a device in float: 2^(x log2 e) by the special function unit, whose relative error is at most
/// 2^-22 and that of the product |x| 2^-24; what is that small is lost beside the row's largest.
HONE_HOST_DEVICE inline float exponential(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.4426950408889634f));
  return result;
#else
  return std::exp(x);
#endif
}
HONE_HOST_DEVICE inline double exponential(double x) {
  using std::exp;
  return exp(x);
}

/// The larger; a number rather than a NaN, which the exponential gives back.
HONE_HOST_DEVICE inline float larger(float x, float y) {
#if defined(__CUDA_ARCH__)
  return fmaxf(x, y);
#else
  return y > x ? y : x;
#endif
}
HONE_HOST_DEVICE inline double larger(double x, double y) { return y > x ? y : x; }

/// Whether the eight columns of one Philox call are kept: bit c for column 8 * block + c. As Dropout::keeps.
HONE_HOST_DEVICE inline std::uint32_t kept_bits(Dropout const& dropout, std::uint32_t block, std::uint32_t position,
                                                std::uint32_t example) {
  PhiloxWords const words = dropout.words(block, position, example);
  std::uint32_t bits = 0;
  HONE_UNROLL
  for (int w = 0; w < 4; ++w) {
    bits |= static_cast<std::uint32_t>((words.word[w] & 0xFFFFu) >= dropout.threshold) << (2 * w);
    bits |= static_cast<std::uint32_t>((words.word[w] >> 16) >= dropout.threshold) << (2 * w + 1);
  }
  return bits;
}

/// The masks of `queries` (16 or 32) queries by `groups` (2 to 8) times eight keys, spread over a warp's lanes: a lane draws
/// for one query, groups part, part + parts, ... where two lanes share a query; others get them by shuffles.
template <int queries, int groups>
class KeptKeys {
  static_assert((queries == 16 || queries == 32) && groups % 2 == 0 && groups <= 8);

 public:
  static constexpr int parts = 32 / queries, each = groups / parts, words = (each + 3) / 4;

  /// The bits of one query, as seen by a lane that asked for them from bit `from` of every eight on.
  struct Query {
    std::uint32_t word[parts][words];
    /// Whether key 8 * group + from + i is kept. With constants one test of a bit.
    HONE_HOST_DEVICE bool keeps(int group, int i) const {
      return word[group % parts][group / parts / 4] >> (8 * (group / parts % 4) + i) & 1u;
    }
  };

  HONE_HOST_DEVICE KeptKeys() {}
  /// @param block    head * 8192 + (first key) / 8
  /// @param query    the first query, in its sequence
  HONE_HOST_DEVICE KeptKeys(int lane, Dropout const& dropout, std::uint32_t block, std::uint32_t query,
                            std::uint32_t example) {
    query += static_cast<std::uint32_t>(lane % queries);
    block += static_cast<std::uint32_t>(lane / queries);
    HONE_UNROLL
    for (int i = 0; i < each; ++i)
      word_[i / 4] |= kept_bits(dropout, block + static_cast<std::uint32_t>(parts * i), query, example) << (8 * (i % 4));
  }

  /// All 32 lanes call, each for a query of its own.
  template <class Thread>
  HONE_HOST_DEVICE Query of(Thread const& thread, int query, int from) const {
    Query result;
    HONE_UNROLL
    for (int p = 0; p < parts; ++p)
      HONE_UNROLL
      for (int w = 0; w < words; ++w) result.word[p][w] = thread.shuffle(word_[w], query + queries * p) >> from;
    return result;
  }

 private:
  std::uint32_t word_[words] = {};
};

/// The sizes of a block's work. W: columns of a tile, E rounded up to 32, 64 or 128.
template <class A, int W>
struct AttentionShape {
  static constexpr int warps = sizeof(A) == 8 ? (W <= 64 ? 2 : 1) : sizeof(A) == 4 ? (W <= 64 ? 4 : 2) : 4;
  static constexpr int row_tiles = sizeof(A) == 2 && W <= 64 ? 2 : 1;  ///< of 16 rows, that a warp has as its own
  static constexpr int warp_rows = 16 * row_tiles;
  static constexpr int own_rows = warps * warp_rows;  ///< queries (or keys) of a block
  /// keys (or queries) that it reads at a time
  static constexpr int stream_rows = sizeof(A) == 2 ? (W <= 64 ? 64 : 32) : sizeof(A) == 4 && W <= 64 ? 32 : 16;
};

}  // namespace hone::detail
