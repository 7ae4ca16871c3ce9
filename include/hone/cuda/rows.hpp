#pragma once

#include "hone/cuda/row_tile.hpp"
#include "hone/ops/rows.hpp"

namespace hone {
namespace detail {

/// A warp a row of y.
template <class P, class Tile>
struct GatherRowsKernel {
  static constexpr char const* name = "gather_rows";
  static constexpr int threads = row_threads;
  GatherRows<P> op;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const i = thread.block() * row_warps + thread.warp(), width = op.y.cols;
    if (i >= op.rows.size) return;
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column < width) Tile::store(op.y.row(i), column, width, Tile::load(op.x.row(op.rows[i]), column, width));
    }
  }
};

/// A warp a row of dy.
template <class P, class Tile>
struct ScatterAddRowsKernel {
  static constexpr char const* name = "scatter_add_rows";
  static constexpr int threads = row_threads;
  ScatterAddRows<P> op;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const i = thread.block() * row_warps + thread.warp(), width = op.dy.cols;
    if (i >= op.rows.size) return;
    A* const dx = op.dx.row(op.rows[i]);
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      Octet<A> const more = Tile::load(op.dy.row(i), column, width);
      Octet<A> const there = Tile::load(static_cast<A const*>(dx), column, width);
      S sum[octet];
      HONE_DEVICE_UNROLL
      for (int c = 0; c < octet; ++c) sum[c] = S(there.get(c)) + S(more.get(c));
      Tile::store(dx, column, width, to_pack<A>(sum));
    }
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<GatherRows<P>> {
  template <class Context>
  static void run(Context& context, GatherRows<P> const& op) {
    using namespace detail;
    with_row_tile<0>(op.y.cols, is_wide(op.x) && is_wide(op.y), [&]<class Tile>(Tile) {
      context.launch(LaunchShape{.blocks = row_blocks(op.rows.size)}, GatherRowsKernel<P, Tile>{op});
    });
  }
};

template <class P>
struct CudaKernel<ScatterAddRows<P>> {
  template <class Context>
  static void run(Context& context, ScatterAddRows<P> const& op) {
    using namespace detail;
    with_row_tile<0>(op.dy.cols, is_wide(op.dy) && is_wide(op.dx), [&]<class Tile>(Tile) {
      context.launch(LaunchShape{.blocks = row_blocks(op.rows.size)}, ScatterAddRowsKernel<P, Tile>{op});
    });
  }
};

}  // namespace hone
