#pragma once

#include <cmath>

#include "hone/cuda/norm_backward.hpp"
#include "hone/cuda/row_tile.hpp"
#include "hone/ops/residual_norm.hpp"

namespace hone {
namespace detail {

/// A warp a row: x and residual are read once, z and y written once.
template <class P, class Tile>
struct ResidualNormForwardKernel {
  static constexpr char const* name = "residual_norm_forward";
  static constexpr int threads = row_threads;
  ResidualNormForward<P> op;
  StatisticOf<P> scale;  // of what dropout keeps

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const n = thread.block() * row_warps + thread.warp(), width = op.z.cols;
    if (n >= op.z.rows) return;
    Octet<A> z[Tile::room] = {}, residual[Tile::room] = {};
    if constexpr (Tile::holds) {  // all loads before the first store: z may be x, so the compiler may not move them
      HONE_DEVICE_UNROLL
      for (int k = 0; k < Tile::octets(width); ++k) load(thread, n, k, z[k], residual[k]);
    }
    S sum = 0;
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      if constexpr (!Tile::holds) load(thread, n, k, z[0], residual[0]);
      Octet<A>& mine = z[Tile::at(k)];
      S values[octet];
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) values[i] = S(mine.get(i));
      if (op.dropout.active()) drop(dropout_words(op.dropout, op.rows, n, column), op.dropout.threshold, scale, values);
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) values[i] += S(residual[Tile::at(k)].get(i));
      mine = to_pack<A>(values);
      Tile::store(op.z.row(n), column, width, mine);
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) sum += S(mine.get(i));  // zero past the width
    }
    A const* const row = op.z.row(n);
    RowMoments<S> const moments = row_moments<Tile>(thread, z, row, width, sum, S(op.epsilon));
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      if constexpr (!Tile::holds) z[0] = Tile::load(row, column, width);
      S y[octet];
      normalize<Tile>(z[Tile::at(k)], moments, op.gamma.data, op.beta.data, column, width, y);
      Tile::store(op.y.row(n), column, width, to_pack<A>(y));
    }
    if (thread.lane() == 0) {
      op.mean[n] = moments.mean;
      op.rstd[n] = moments.rstd;
    }
  }

 private:
  template <class Thread, class A>
  HONE_HOST_DEVICE void load(Thread const& thread, Index n, int k, Octet<A>& x, Octet<A>& residual) const {
    Index const column = Tile::column(thread, k), width = op.z.cols;
    residual = Octet<A>::zero();
    if (column >= width) return;
    x = Tile::load(op.x.row(n), column, width);
    if (op.residual) residual = Tile::load(op.residual.row(n), column, width);
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<ResidualNormForward<P>> {
  template <class Context>
  static void run(Context& context, ResidualNormForward<P> const& op) {
    using namespace detail;
    bool const wide =
        is_wide(op.x) && is_wide(op.residual) && is_wide(op.z) && is_wide(op.y) && is_wide(op.gamma) && is_wide(op.beta);
    with_row_tile<4>(op.z.cols, wide, [&]<class Tile>(Tile) {
      context.launch(LaunchShape{.blocks = row_blocks(op.z.rows)},
                     ResidualNormForwardKernel<P, Tile>{op, StatisticOf<P>(op.dropout.scale())});
    });
  }
};

template <class P>
struct CudaKernel<ResidualNormBackward<P>> {
  static std::size_t scratch_bytes(Index rows, Index width) {
    return static_cast<std::size_t>(detail::most_norm_partials(rows, width)) * sizeof(MasterOf<P>);
  }
  template <class Context>
  static void run(Context& context, ResidualNormBackward<P> const& op) {
    using namespace detail;
    using M = MasterOf<P>;
    M* const partials = static_cast<M*>(context.scratch(scratch_bytes(op.z.rows, op.z.cols)));
    norm_backward<DropoutOf::result, P>(context,
                                        {op.dy, op.z, op.mean, op.rstd, op.gamma, op.dropout, op.rows, op.dz, op.dx},
                                        op.dgamma, op.dbeta, op.write, partials);
  }
};

}  // namespace hone
