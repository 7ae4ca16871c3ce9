#pragma once

#include "hone/cuda/row_tile.hpp"
#include "hone/ops/dropout.hpp"

namespace hone {
namespace detail {

/// A warp a row.
template <class P, class Tile>
struct DropoutApplyKernel {
  static constexpr char const* name = "dropout";
  static constexpr int threads = row_threads;
  DropoutApply<P> op;
  StatisticOf<P> scale;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const n = thread.block() * row_warps + thread.warp(), width = op.x.cols;
    if (n >= op.x.rows) return;
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      Octet<A> x = Tile::load(op.x.row(n), column, width);
      if (op.dropout.active()) {
        S values[octet];
        HONE_DEVICE_UNROLL
        for (int i = 0; i < octet; ++i) values[i] = S(x.get(i));
        drop(dropout_words(op.dropout, op.rows, n, column), op.dropout.threshold, scale, values);
        x = to_pack<A>(values);
      }
      Tile::store(op.y.row(n), column, width, x);
    }
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<DropoutApply<P>> {
  template <class Context>
  static void run(Context& context, DropoutApply<P> const& op) {
    using namespace detail;
    with_row_tile<0>(op.x.cols, is_wide(op.x) && is_wide(op.y), [&]<class Tile>(Tile) {
      context.launch(LaunchShape{.blocks = row_blocks(op.x.rows)},
                     DropoutApplyKernel<P, Tile>{op, StatisticOf<P>(op.dropout.scale())});
    });
  }
};

}  // namespace hone
