#pragma once

#include "hone/cuda/rung.hpp"

namespace hone::detail {

/// The rows that one block of ColumnSumsKernel adds: fixed by their number alone, so that every device gives the same bits.
inline Index column_sum_rows(Index rows) {
  Index const least = (rows + 65534) / 65535;  // no more blocks along the second axis than a launch has
  return least > 128 ? least : 128;
}
inline Index column_sum_blocks(Index rows) { return (rows + column_sum_rows(rows) - 1) / column_sum_rows(rows); }
/// Values that column_sums needs at `partials`.
inline Index column_partials_size(Index rows, Index cols) { return column_sum_blocks(rows) * cols; }

/// partials(b, c) = sum of x(n, c) over the rows n of block b: 64 columns a block, two a lane; warp w adds rows w, w + 8,
/// ..., then the warps in order.
template <class A, class M>
struct ColumnSumsKernel {
  static constexpr char const* name = "column_sums";
  static constexpr int threads = 256;
  static constexpr int warps = threads / warp_size, columns = 2 * warp_size;
  MatrixView<A const> x;
  Index block_rows;
  M* partials;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const begin = thread.block_y() * block_rows, end = begin + block_rows < x.rows ? begin + block_rows : x.rows;
    Index const c = thread.block() * columns + thread.lane(), d = c + warp_size;
    M first = 0, second = 0;
    for (Index n = begin + thread.warp(); n < end; n += warps) {
      A const* const row = x.row(n);
      if (c < x.cols) first += M(row[c]);
      if (d < x.cols) second += M(row[d]);
    }
    auto const sums = thread.template shared<M>(0, warps * columns);
    sums[thread.warp() * columns + thread.lane()] = first;
    sums[thread.warp() * columns + warp_size + thread.lane()] = second;
    thread.barrier();
    if (thread.index() >= columns) return;
    Index const column = thread.block() * columns + thread.index();
    if (column >= x.cols) return;
    M sum = 0;
    for (int w = 0; w < warps; ++w) sum += sums[w * columns + thread.index()];
    partials[thread.block_y() * x.cols + column] = sum;
  }
};

/// out[c] (+)= the blocks' sums of column c, in order.
template <class M>
struct ColumnTotalsKernel {
  static constexpr char const* name = "column_totals";
  static constexpr int threads = 128;
  M const* partials;
  Index blocks;
  VectorView<M> out;
  bool adds;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const c = thread.block() * threads + thread.index();
    if (c >= out.size) return;
    M sum = 0;
    for (Index b = 0; b < blocks; ++b) sum += partials[b * out.size + c];
    out[c] = adds ? out[c] + sum : sum;
  }
};

/// out[c] (+)= sum over n of x(n, c), in M; the order is fixed.
///
/// Shapes: x (N, C), out (C). @param partials  column_partials_size(N, C) values of scratch memory
template <class Context, class A, class M>
void column_sums(Context& context, MatrixView<A const> x, VectorView<M> out, Write write, M* partials) {
  using Sums = ColumnSumsKernel<A, M>;
  using Totals = ColumnTotalsKernel<M>;
  Index const blocks = column_sum_blocks(x.rows);
  context.launch(LaunchShape{.blocks = (x.cols + Sums::columns - 1) / Sums::columns,
                             .blocks_y = blocks,
                             .shared_bytes = Sums::warps * Sums::columns * sizeof(M)},
                 Sums{x, column_sum_rows(x.rows), partials});
  context.launch(LaunchShape{.blocks = (x.cols + Totals::threads - 1) / Totals::threads},
                 Totals{partials, blocks, out, write == Write::add});
}

}  // namespace hone::detail
