#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "hone/core/host_context.hpp"
#include "hone/core/matrix.hpp"
#include "hone/cpu/scratch.hpp"
#include "hone/cpu/vector.hpp"

namespace hone::detail {

/// A matrix as a product reads it: element (i, j) is data[i * row_step + j * column_step].
template <class T>
struct Operand {
  T const* data;
  Index row_step, column_step;

  static Operand of(MatrixView<T const> m) { return {m.data, m.stride, 1}; }
  static Operand transposed(MatrixView<T const> m) { return {m.data, 1, m.stride}; }
  T const* at(Index i, Index j) const { return data + i * row_step + j * column_step; }
};

/// Sizes of the register tile: `rows` x `vectors` accumulators, which with the operands fill the register file.
struct TileShape {
  static constexpr int rows = many_registers ? 8 : 4, vectors = 3;
  template <class T>
  static constexpr int cols = vectors * lanes<T>;
  /// How much of the inner dimension is summed before a tile goes back to memory.
  static constexpr Index depth = 384;
};

/// acc(i, j) += sum_k a(i, k) b(k, j) over k = 0 .. depth - 1 in this order;
/// a(i, k) = a[i * row_step + k * k_step], b(k, j) = b[k * b_step + j]. Memory from `ahead` on, ahead_values for each k, is
/// fetched meanwhile, for who comes next.
template <class T, int rows, int vectors, int ahead_values = 0, class RowStep, class KStep>
HONE_ALWAYS_INLINE inline void multiply_tile(Index depth, T const* HONE_RESTRICT a, RowStep row_step, KStep k_step,
                                             T const* HONE_RESTRICT b, Index b_step, Vec<T> (&acc)[rows][vectors],
                                             T const* ahead = nullptr) {
  Vec<T> sums[rows][vectors];
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] = acc[i][j];
  for (Index k = 0; k < depth; ++k) {
    Vec<T> column[vectors];
    if constexpr (ahead_values > 0) __builtin_prefetch(ahead + k * ahead_values, 0, 2);
    HONE_UNROLL for (int j = 0; j < vectors; ++j) column[j] = load(b + j * lanes<T>);
    HONE_UNROLL for (int i = 0; i < rows; ++i) {
      Vec<T> const value = splat(a[i * row_step]);
      HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] += value * column[j];
    }
    a += k_step;
    b += b_step;
  }
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) acc[i][j] = sums[i][j];
}

/// A compile-time step for multiply_tile.
template <Index value>
using Step = std::integral_constant<Index, value>;

/// Two vectors, lane by lane in turn: a0 b0 a1 b1 ...
template <class T>
HONE_ALWAYS_INLINE inline void interleave(Vec<T>& a, Vec<T>& b) {
#if defined(__CUDACC__)  // nvcc 13 takes the indices of a pack for a single one
  Vec<T> low{}, high{};
  for (int i = 0; i < lanes<T>; ++i) {
    low[i] = (i % 2 ? b : a)[i / 2];
    high[i] = (i % 2 ? b : a)[i / 2 + lanes<T> / 2];
  }
  a = low, b = high;
#else
  [&]<int... i>(std::integer_sequence<int, i...>) HONE_ALWAYS_INLINE {
    constexpr int half = lanes<T> / 2;
    Vec<T> const low = __builtin_shufflevector(a, b, (i % 2 * lanes<T> + i / 2)...);
    Vec<T> const high = __builtin_shufflevector(a, b, (i % 2 * lanes<T> + i / 2 + half)...);
    a = low, b = high;
  }(std::make_integer_sequence<int, lanes<T>>{});
#endif
}

/// Rows of a tile, `height` vectors (a power of two), become its columns one after the other: [k][height].
template <class T, int height>
HONE_ALWAYS_INLINE inline void transpose_vectors(Vec<T> (&v)[height]) {
  // v[i + j] holds rows j, j + distance, ... of consecutive k, interleaved; round by round the rows of one k come together.
  HONE_UNROLL for (int distance = height / 2, pieces = 1; distance > 0; distance /= 2, pieces *= 2) {
    Vec<T> next[height] = {};  // filled whole below; g++ 12 cannot see it
    HONE_UNROLL for (int j = 0; j < distance; ++j) HONE_UNROLL for (int piece = 0; piece < pieces; ++piece) {
      Vec<T> a = v[j * pieces + piece], b = v[(j + distance) * pieces + piece];
      interleave<T>(a, b);
      next[j * 2 * pieces + 2 * piece] = a;
      next[j * 2 * pieces + 2 * piece + 1] = b;
    }
    HONE_UNROLL for (int r = 0; r < height; ++r) v[r] = next[r];
  }
}

/// to[k][r] = from[r * row_step + k] for r < height and k < lanes.
template <class T, int height>
HONE_ALWAYS_INLINE inline void transpose_tile(T const* from, Index row_step, T* to) {
  Vec<T> v[height];
  HONE_UNROLL for (int r = 0; r < height; ++r) v[r] = load(from + r * row_step);
  transpose_vectors<T, height>(v);
  HONE_UNROLL for (int r = 0; r < height; ++r) store<T>(to + r * lanes<T>, v[r]);
}

/// to[c * to_step + r] = factor * from[r * from_step + c] for r < rows and c < cols.
template <class T>
void transpose(T const* from, Index from_step, Index rows, Index cols, T factor, T* to, Index to_step) {
  constexpr Index side = lanes<T>;
  for (Index r = 0; r < rows; r += side)
    for (Index c = 0; c < cols; c += side) {
      if (r + side <= rows && c + side <= cols) {
        Vec<T> v[side];
        HONE_UNROLL for (int i = 0; i < side; ++i) v[i] = load(from + (r + i) * from_step + c);
        transpose_vectors<T, side>(v);
        HONE_UNROLL for (int i = 0; i < side; ++i) store<T>(to + (c + i) * to_step + r, v[i] * factor);
        continue;
      }
      for (Index i = r; i < std::min(r + side, rows); ++i)
        for (Index j = c; j < std::min(c + side, cols); ++j) to[j * to_step + i] = factor * from[i * from_step + j];
    }
}

/// `count` rows of an operand from row i on, columns k .. k + depth - 1, as [k][height], short of `height` rows with zeros.
template <class T, int height>
void pack_panel(Operand<T> m, Index i, Index count, Index k, Index depth, T* HONE_RESTRICT to) {
  T const* from = m.at(i, k);
  if (m.row_step == 1 && count == height) {
    for (Index d = 0; d < depth; ++d, from += m.column_step, to += height) {
      // Rows are pages apart, where the processor does not look ahead by itself.
      for (int line = 0; line < height; line += 64 / static_cast<int>(sizeof(T)))
        __builtin_prefetch(from + 16 * m.column_step + line);
      if constexpr (height % lanes<T> == 0)
        HONE_UNROLL for (int v = 0; v < height; v += lanes<T>) store<T>(to + v, load(from + v));
      else
        std::copy_n(from, height, to);
    }
    return;
  }
  if (height % lanes<T> == 0 && m.column_step == 1 && count == height) {
    for (Index r = 0; r < height; r += lanes<T>)
      transpose(from + r * m.row_step, m.row_step, lanes<T>, depth, T(1), to + r, height);
    return;
  }
  Index done = 0;
  if constexpr (height < lanes<T> && (height == 4 || height == 8))
    if (m.column_step == 1 && count == height)
      for (; done + lanes<T> <= depth; done += lanes<T>)
        transpose_tile<T, height>(from + done, m.row_step, to + done * height);
  for (Index r = 0; r < height; ++r) {
    T const* row = from + r * m.row_step;
    if (r < count)
      for (Index d = done; d < depth; ++d) to[d * height + r] = row[d * m.column_step];
    else
      for (Index d = done; d < depth; ++d) to[d * height + r] = T(0);
  }
}

/// Panels of TileShape::rows rows each: [panel][k][rows].
template <class T>
void pack_panels(Operand<T> m, Index i, Index count, Index k, Index depth, T* HONE_RESTRICT to) {
  constexpr int height = TileShape::rows;
  for (Index r = 0; r < count; r += height)
    pack_panel<T, height>(m, i + r, std::min<Index>(height, count - r), k, depth, to + r * depth);
}

/// c (+)= a b (+ bias in every row): a (M, K), b (K, N), c (M, N), bias (N) or empty.
///
/// Every element is a sum over k in ascending order, in blocks of TileShape::depth, whatever M, N and the number of threads
/// are: a row of c has the same bits in every batch. Panels of b are packed once and shared; those of a are packed by the
/// thread that uses them. Source of the blocking: Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6.
template <class T>
void gemm(HostContext& context, Operand<T> a, Operand<T> b, MatrixView<T> c, Index inner, VectorView<T const> bias,
          Write write) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = TileShape::cols<T>;
  constexpr int tiles = 12;  // of a block of rows
  constexpr Index depth = TileShape::depth, block_rows = tiles * rows, panels_at_once = 64;
  Index const blocks = (inner + depth - 1) / depth;
  Operand<T> const b_columns{b.data, b.column_step, b.row_step};  // its rows are b's columns

  for (Index first = 0; first < c.cols; first += panels_at_once * cols) {
    Index const width = std::min(panels_at_once * cols, c.cols - first), panels = (width + cols - 1) / cols;
    T* const packed_b = scratch<T>(Scratch::shared_panels, panels * cols * inner);
    auto const panel_of = [=](Index block, Index panel) {  // [block][panel][k][cols]
      return packed_b + block * depth * panels * cols + panel * cols * std::min(depth, inner - block * depth);
    };
    context.pool().parallel_for(blocks * panels, 4, [&](Index begin, Index end) {
      for (Index item = begin; item < end; ++item) {
        Index const block = item / panels, panel = item % panels, k = block * depth, j = first + panel * cols;
        pack_panel<T, cols>(b_columns, j, std::min<Index>(cols, first + width - j), k, std::min(depth, inner - k),
                            panel_of(block, panel));
      }
    });
    // Few rows: cut the columns too, so that there are tiles for every thread.
    Index const row_blocks = (c.rows + block_rows - 1) / block_rows;
    Index const wanted = 4 * context.threads();
    Index const column_blocks = std::min(panels, std::max<Index>(1, (wanted + row_blocks - 1) / row_blocks));
    Index const panels_each = (panels + column_blocks - 1) / column_blocks;
    context.pool().parallel_for(row_blocks * column_blocks, 1, [&](Index item, Index) {
      Index const i0 = item / column_blocks * block_rows, height = std::min(block_rows, c.rows - i0);
      Index const p0 = item % column_blocks * panels_each, p1 = std::min(panels, p0 + panels_each);
      T* const packed_a = scratch<T>(Scratch::row_panels, block_rows * depth);
      for (Index block = 0; block < blocks && p0 < p1; ++block) {
        Index const k = block * depth, length = std::min(depth, inner - k);
        pack_panels(a, i0, height, k, length, packed_a);
        for (Index panel = p0; panel < p1; ++panel) {
          Index const j = first + panel * cols, valid_cols = std::min<Index>(cols, first + width - j);
          T const* const panel_b = panel_of(block, panel);
          for (Index i = 0; i < height; i += rows) {  // meanwhile the next panel is fetched, an equal part by each tile
            Index const valid_rows = std::min<Index>(rows, height - i);
            bool const whole = valid_rows == rows && valid_cols == cols;
            Vec<T> acc[rows][vectors] = {};
            constexpr int ahead_each = cols / tiles;
            T const* const ahead = panel_b + (cols + i / rows * ahead_each) * length;
            multiply_tile<T, rows, vectors, ahead_each>(length, packed_a + i * length, Step<1>{}, Step<rows>{}, panel_b,
                                                        cols, acc, ahead);
            bool const adds = block > 0 || write == Write::add;
            VectorView<T const> const tile_bias = block == 0 && bias ? bias.slice(j, valid_cols) : VectorView<T const>{};
            T* const to = &c(i0 + i, j);
            if (whole) {
              HONE_UNROLL for (int v = 0; v < vectors; ++v) {
                Vec<T> const extra = tile_bias ? load(tile_bias.data + v * lanes<T>) : Vec<T>{};
                HONE_UNROLL for (int r = 0; r < rows; ++r) {
                  T* const place = to + r * c.stride + v * lanes<T>;
                  store<T>(place, (adds ? load(place) : extra) + acc[r][v]);
                }
              }
            } else {
              alignas(64) T tile[rows][cols];
              HONE_UNROLL for (int r = 0; r < rows; ++r)
                HONE_UNROLL for (int v = 0; v < vectors; ++v) store(&tile[r][v * lanes<T>], acc[r][v]);
              for (Index r = 0; r < valid_rows; ++r)
                for (Index col = 0; col < valid_cols; ++col) {
                  T& place = to[r * c.stride + col];
                  place = (adds ? place : tile_bias ? tile_bias[col] : T(0)) + tile[r][col];
                }
            }
          }
        }
      }
    });
  }
}

}  // namespace hone::detail
