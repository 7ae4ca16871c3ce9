#pragma once

#include "hone/core/dropout.hpp"
#include "hone/core/row_map.hpp"
#include "hone/cuda/pack.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/cuda/warp.hpp"

namespace hone::detail {

/// Columns that a warp takes at a time: an octet a lane.
inline constexpr Index warp_columns = warp_size * octet;

/// Threads of a block of kernels with a warp a row, and its rows.
inline constexpr int row_threads = 128;
inline constexpr int row_warps = row_threads / warp_size;

/// How a warp goes over a row, as a type: lane l has the columns 256 k + 8 l .. + 7 for k = 0 .. held - 1.
///
/// The row stays in registers between the passes over it. held = 0: any width; a lane has one octet at a time and each
/// pass reads the row again. wide: octets are read and written 16 bytes at a time.
template <int held, bool wide_>
struct RowTile {
  static constexpr bool holds = held > 0;
  static constexpr int room = held > 0 ? held : 1;  ///< octets in registers
  static constexpr bool wide = wide_;

  /// Octets of a lane, some of which may begin past the width.
  HONE_HOST_DEVICE static constexpr int octets(Index width) {
    if constexpr (holds) return held;
    return static_cast<int>((width + warp_columns - 1) / warp_columns);
  }
  /// Which register octet k is in.
  HONE_HOST_DEVICE static constexpr int at(int k) { return holds ? k : 0; }
  template <class Thread>
  HONE_HOST_DEVICE static Index column(Thread const& thread, int k) {
    return k * warp_columns + thread.lane() * octet;
  }
  template <class A>
  HONE_HOST_DEVICE static Octet<A> load(A const* row, Index column, Index width) {
    return load_pack<wide, octet>(row, column, width);
  }
  template <class A>
  HONE_HOST_DEVICE static void store(A* row, Index column, Index width, Octet<A> const& values) {
    store_pack<wide>(row, column, width, values);
  }
};

/// Calls body(RowTile<...>{}) with the tile for rows of `width` values of A, `wide` where all pointers and strides allow it.
/// @param most  octets that a lane may hold before registers run out
template <int most, class Body>
void with_row_tile(Index width, bool wide, Body const& body) {
  Index const octets = (width + warp_columns - 1) / warp_columns;
  if (!wide || width % octet != 0) return body(RowTile<0, false>{});
  if constexpr (most >= 1)
    if (octets <= 1) return body(RowTile<1, true>{});
  if constexpr (most >= 2)
    if (octets == 2) return body(RowTile<2, true>{});
  if constexpr (most >= 3)
    if (octets == 3) return body(RowTile<3, true>{});
  if constexpr (most >= 4)
    if (octets == 4) return body(RowTile<4, true>{});
  body(RowTile<0, true>{});
}

/// The random words of one octet of row n.
HONE_HOST_DEVICE inline PhiloxWords dropout_words(Dropout const& dropout, RowMap const& rows, Index n, Index column) {
  return dropout.words(static_cast<std::uint32_t>(column / octet), static_cast<std::uint32_t>(rows.position[n]),
                       static_cast<std::uint32_t>(rows.example(n)));
}

/// mean, and rstd = 1 / sqrt(variance + epsilon).
template <class S>
struct RowMoments {
  S mean, rstd;
};

/// The moments of a row that lies at `row` and, where the tile holds rows, in `held`. All lanes get them; all must call.
/// @param sum  the lane's part of the row's sum
template <class Tile, class Thread, class A, class S>
HONE_HOST_DEVICE inline RowMoments<S> row_moments(Thread const& thread, Octet<A> (&held)[Tile::room], A const* row,
                                                  Index width, S sum, S epsilon) {
  using std::sqrt;
  S const mean = warp_sum(thread, sum) / S(width);
  S squares = 0;
  HONE_DEVICE_UNROLL
  for (int k = 0; k < Tile::octets(width); ++k) {
    Index const column = Tile::column(thread, k);
    if (column >= width) continue;
    if constexpr (!Tile::holds) held[0] = Tile::load(row, column, width);
    HONE_DEVICE_UNROLL
    for (int i = 0; i < octet; ++i) {
      S const distance = S(held[Tile::at(k)].get(i)) - mean;
      squares += Tile::wide || column + i < width ? distance * distance : S(0);
    }
  }
  squares = warp_sum(thread, squares);
  return {mean, S(1) / sqrt(squares / S(width) + epsilon)};
}

/// gamma * (z - mean) * rstd + beta of one octet.
template <class Tile, class A, class S>
HONE_HOST_DEVICE inline void normalize(Octet<A> const& z, RowMoments<S> const& moments, A const* gamma, A const* beta,
                                       Index column, Index width, S (&y)[octet]) {
  Octet<A> const factor = Tile::load(gamma, column, width), offset = Tile::load(beta, column, width);
  HONE_DEVICE_UNROLL
  for (int i = 0; i < octet; ++i) y[i] = S(factor.get(i)) * ((S(z.get(i)) - moments.mean) * moments.rstd) + S(offset.get(i));
}

/// values = mask * values * scale
template <class S>
HONE_HOST_DEVICE inline void drop(PhiloxWords const& random, std::uint32_t threshold, S scale, S (&values)[octet]) {
  HONE_DEVICE_UNROLL
  for (int i = 0; i < octet; ++i) values[i] = is_kept(random, i, threshold) ? values[i] * scale : S(0);
}

inline Index row_blocks(Index rows) { return (rows + row_warps - 1) / row_warps; }

}  // namespace hone::detail
