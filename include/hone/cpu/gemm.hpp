#pragma once

#include <algorithm>

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
/// a(i, k) = a[i * row_step + k * k_step], b(k, j) = b[k * b_step + j].
template <class T, int rows, int vectors, class RowStep, class KStep>
HONE_ALWAYS_INLINE inline void multiply_tile(Index depth, T const* HONE_RESTRICT a, RowStep row_step, KStep k_step, T const* HONE_RESTRICT b,
                               Index b_step, Vec<T> (&acc)[rows][vectors]) {
  Vec<T> sums[rows][vectors];
  HONE_UNROLL for (int i = 0; i < rows; ++i) HONE_UNROLL for (int j = 0; j < vectors; ++j) sums[i][j] = acc[i][j];
  for (Index k = 0; k < depth; ++k) {
    Vec<T> column[vectors];
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

/// `count` rows of an operand from row i on, columns k .. k + depth - 1, as [k][height], short of `height` rows with zeros.
template <class T>
void pack_panel(Operand<T> m, Index i, Index count, Index k, Index depth, int height, T* HONE_RESTRICT to) {
  T const* from = m.at(i, k);
  if (m.row_step == 1 && count == height) {
    for (Index d = 0; d < depth; ++d, from += m.column_step, to += height) std::copy(from, from + height, to);
    return;
  }
  for (Index r = 0; r < height; ++r) {
    T const* row = from + r * m.row_step;
    if (r < count)
      for (Index d = 0; d < depth; ++d) to[d * height + r] = row[d * m.column_step];
    else
      for (Index d = 0; d < depth; ++d) to[d * height + r] = T(0);
  }
}

/// c (+)= a b (+ bias in every row): a (M, K), b (K, N), c (M, N), bias (N) or empty.
///
/// Every element is a sum over k in ascending order, in blocks of TileShape::depth, whatever M, N and the number of threads
/// are: a row of c has the same bits in every batch. Panels of b are packed once and shared; those of a are packed by the
/// thread that uses them. Source of the blocking: Goto and van de Geijn 2008, ACM TOMS 34(3), sections 4-6.
template <class T>
void gemm(HostContext& context, Operand<T> a, Operand<T> b, MatrixView<T> c, Index inner, VectorView<T const> bias, Write write) {
  constexpr int rows = TileShape::rows, vectors = TileShape::vectors, cols = TileShape::cols<T>;
  constexpr Index depth = TileShape::depth, block_rows = 12 * rows, panels_at_once = 64;
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
        pack_panel(b_columns, j, std::min<Index>(cols, first + width - j), k, std::min(depth, inner - k), cols,
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
        for (Index i = 0; i < height; i += rows)
          pack_panel(a, i0 + i, std::min<Index>(rows, height - i), k, length, rows, packed_a + i * length);
        for (Index panel = p0; panel < p1; ++panel) {
          Index const j = first + panel * cols, valid_cols = std::min<Index>(cols, first + width - j);
          T const* const panel_b = panel_of(block, panel);
          for (Index i = 0; i < height; i += rows) {
            Index const valid_rows = std::min<Index>(rows, height - i);
            bool const whole = valid_rows == rows && valid_cols == cols;
            Vec<T> acc[rows][vectors] = {};
            multiply_tile<T, rows, vectors>(length, packed_a + i * length, Step<1>{}, Step<rows>{}, panel_b, cols, acc);
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
