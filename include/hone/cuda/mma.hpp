#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "hone/core/bfloat16.hpp"
#include "hone/cuda/thread.hpp"

namespace hone {

/// Products of tiles by one warp, written once for bfloat16 (tensor cores), float and double (plain loops).
///
/// C += A * B with A (16, K), B (K, 8 * T), C (16, 8 * T). C lies in registers, `S c[T][4]` in every lane, S = float
/// for bfloat16 and float, double for double. With g = lane / 4 and q = lane % 4, c[t][i] is the element
///
///     row  g + 8 * (i / 2)              mma_row(thread, i)
///     column  8 * t + 2 * q + i % 2     mma_column(thread, t, i)
///
/// so that four neighbouring lanes share two rows (quad_sum, quad_max in warp.hpp). The order of every sum is fixed.
/// Source: PTX ISA 8.7, section 9.7.14.5.8, "Matrix Fragments for mma.m16n8k16 with floating point type".
///
/// A and B are tiles in shared memory, `shared_tile(values, stride)`, row-major or `.transposed()`:
///
///     auto const q = shared_tile(thread.template shared<A>(q_offset, 64 * stride), stride), k = ...;
///     S scores[T][4] = {};
///     warp_mma<A, E>(thread, scores, q.block(16 * thread.warp(), 0), k.transposed());
///
/// gives scores = Q * K^T for K stored as (8 * T, E). Where bfloat16 lies contiguous along the sum (A row-major, B
/// transposed) two values are loaded at once, so begin and stride must then be even. A stride of 8 values more than a
/// multiple of 64 keeps such loads free of bank conflicts.

/// The row of accumulator i (0 to 3) of this lane in its 16 x 8 tile.
template <class Thread>
HONE_HOST_DEVICE inline int mma_row(Thread const& thread, int i) {
  return thread.lane() / 4 + 8 * (i / 2);
}

/// The column of accumulator i of this lane in tile t of the row of tiles.
template <class Thread>
HONE_HOST_DEVICE inline int mma_column(Thread const& thread, int t, int i) {
  return 8 * t + 2 * (thread.lane() % 4) + i % 2;
}

/// A matrix in memory: element (row, col) at begin + row * stride + col, or + col * stride + row where it is Transposed.
/// `Values` is a pointer or what `thread.shared` returns. The tile knows no size: the values do, where they are checked.
template <class Values, bool Transposed = false>
struct SharedTile {
  Values values;
  Index begin = 0;
  Index stride = 0;

  using Value = std::remove_cvref_t<decltype(std::declval<Values const&>()[Index{}])>;
  static constexpr bool is_transposed = Transposed;

  HONE_HOST_DEVICE Index position(int row, int col) const {
    return begin + (Transposed ? col * stride + row : row * stride + col);
  }
  HONE_HOST_DEVICE decltype(auto) operator()(int row, int col) const { return values[position(row, col)]; }
  /// The same matrix from (row, col) on.
  HONE_HOST_DEVICE SharedTile block(int row, int col) const { return {values, position(row, col), stride}; }
  HONE_HOST_DEVICE SharedTile<Values, !Transposed> transposed() const { return {values, begin, stride}; }
};

/// A row-major tile whose rows begin `stride` values apart.
template <class Values>
HONE_HOST_DEVICE inline SharedTile<Values> shared_tile(Values values, Index stride) {
  return {values, 0, stride};
}

/// Two values rounded to bfloat16 in one register; `low` comes first in memory.
HONE_HOST_DEVICE inline std::uint32_t pack_bf16(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return static_cast<std::uint32_t>(bfloat16(low).bits) | static_cast<std::uint32_t>(bfloat16(high).bits) << 16;
#endif
}

namespace detail {

/// (row, col) and its right neighbour (along_row), or its lower one, as a register.
template <bool along_row, class Tile>
HONE_HOST_DEVICE inline std::uint32_t load_pair(Tile const& tile, int row, int col) {
  if constexpr (along_row != Tile::is_transposed) {
    return load_as<std::uint32_t>(tile.values, tile.position(row, col));
  } else {
    bfloat16 const low = tile(row, col), high = along_row ? tile(row, col + 1) : tile(row + 1, col);
    return static_cast<std::uint32_t>(low.bits) | static_cast<std::uint32_t>(high.bits) << 16;
  }
}

/// The fragment of A (16, 16) from (0, k) on: pairs along k at rows g, g + 8, and the same eight columns further.
template <class Thread, class Tile>
HONE_HOST_DEVICE inline void load_fragment_a(Thread const& thread, std::uint32_t (&a)[4], Tile const& tile, int k) {
  int const row = thread.lane() / 4, col = k + 2 * (thread.lane() % 4);
  a[0] = load_pair<true>(tile, row, col);
  a[1] = load_pair<true>(tile, row + 8, col);
  a[2] = load_pair<true>(tile, row, col + 8);
  a[3] = load_pair<true>(tile, row + 8, col + 8);
}

/// The fragment of B (16, 8) from (k, n) on: pairs along k in column g.
template <class Thread, class Tile>
HONE_HOST_DEVICE inline void load_fragment_b(Thread const& thread, std::uint32_t (&b)[2], Tile const& tile, int k, int n) {
  int const row = k + 2 * (thread.lane() % 4), col = n + thread.lane() / 4;
  b[0] = load_pair<false>(tile, row, col);
  b[1] = load_pair<false>(tile, row + 8, col);
}

template <class A>
using MmaSum = std::conditional_t<std::is_same_v<A, double>, double, float>;

}  // namespace detail

/// c += a * b, a (16, K) and b (K, 8 * T) tiles of A in shared memory; K a multiple of 16. All 32 lanes call.
template <class A, int K, class Thread, class S, int T, class TileA, class TileB>
HONE_HOST_DEVICE inline void warp_mma(Thread const& thread, S (&c)[T][4], TileA const& a, TileB const& b) {
  static_assert(std::is_same_v<typename TileA::Value, A> && std::is_same_v<typename TileB::Value, A>);
  static_assert(std::is_same_v<S, detail::MmaSum<A>> && K > 0 && K % 16 == 0);
  if constexpr (std::is_same_v<A, bfloat16>) {
    HONE_UNROLL
    for (int k = 0; k < K; k += 16) {
      std::uint32_t left[4];
      detail::load_fragment_a(thread, left, a, k);
      HONE_UNROLL
      for (int t = 0; t < T; ++t) {
        std::uint32_t right[2];
        detail::load_fragment_b(thread, right, b, k, 8 * t);
        thread.mma_bf16(c[t], left, right);
      }
    }
  } else {
    int const row = mma_row(thread, 0), col = mma_column(thread, 0, 0);
    for (int k = 0; k < K; ++k) {
      S const upper = a(row, k), lower = a(row + 8, k);
      HONE_UNROLL
      for (int t = 0; t < T; ++t) {
        S const left = b(k, 8 * t + col), right = b(k, 8 * t + col + 1);
        c[t][0] += upper * left;
        c[t][1] += upper * right;
        c[t][2] += lower * left;
        c[t][3] += lower * right;
      }
    }
  }
}

/// c += p * b, where p (16, 8 * KT) is in registers, laid out as accumulators are: the result of another product, or
/// what was computed from it value by value. For bfloat16 it is rounded here, and KT is even: two neighbouring
/// accumulator tiles are one fragment of A. b (8 * KT, 8 * T) is a tile of A in shared memory. All 32 lanes call.
/// Source: Dao 2023, arXiv:2307.08691, section 3.
template <class A, class Thread, class S, int T, int KT, class TileB>
HONE_HOST_DEVICE inline void warp_mma_registers(Thread const& thread, S (&c)[T][4], S const (&p)[KT][4], TileB const& b) {
  static_assert(std::is_same_v<typename TileB::Value, A> && std::is_same_v<S, detail::MmaSum<A>>);
  if constexpr (std::is_same_v<A, bfloat16>) {
    static_assert(KT % 2 == 0);
    HONE_UNROLL
    for (int k = 0; k < KT; k += 2) {
      std::uint32_t const left[4] = {pack_bf16(p[k][0], p[k][1]), pack_bf16(p[k][2], p[k][3]),
                                     pack_bf16(p[k + 1][0], p[k + 1][1]), pack_bf16(p[k + 1][2], p[k + 1][3])};
      HONE_UNROLL
      for (int t = 0; t < T; ++t) {
        std::uint32_t right[2];
        detail::load_fragment_b(thread, right, b, 8 * k, 8 * t);
        thread.mma_bf16(c[t], left, right);
      }
    }
  } else {
    int const col = mma_column(thread, 0, 0), first = thread.lane() / 4 * 4;  // `first` of the lanes with these rows
    HONE_UNROLL
    for (int k = 0; k < 8 * KT; ++k) {
      int const owner = first + k % 8 / 2;
      S const upper = thread.shuffle(p[k / 8][k % 2], owner), lower = thread.shuffle(p[k / 8][2 + k % 2], owner);
      HONE_UNROLL
      for (int t = 0; t < T; ++t) {
        S const left = b(k, 8 * t + col), right = b(k, 8 * t + col + 1);
        c[t][0] += upper * left;
        c[t][1] += upper * right;
        c[t][2] += lower * left;
        c[t][3] += lower * right;
      }
    }
  }
}

}  // namespace hone
