#pragma once

#include "hone/ops/residual_norm.hpp"
#include "hone/thrust/norm_rows.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

/// z = residual + mask * x, eight columns of one row.
template <class P>
struct ResidualBlock {
  MatrixView<ActivationOf<P> const> x, residual;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> z;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    ColumnBlock const at(i, z.cols);
    KeptColumns const kept(dropout, rows, at.row, at.block);
    S const scale = S(dropout.scale());
    for (Index c = at.begin; c < at.end; ++c) {
      S value = kept[c - at.begin] ? S(x(at.row, c)) * scale : S(0);
      if (residual) value += S(residual(at.row, c));
      z(at.row, c) = A(value);
    }
  }
};

}  // namespace detail

template <class P>
struct ThrustKernel<ResidualNormForward<P>> {
  template <class Context>
  static void run(Context& context, ResidualNormForward<P> const& op) {
    auto const policy = context.policy();
    Index const blocks = detail::column_blocks(op.z.rows, op.z.cols);
    detail::thrust_each(policy, blocks, detail::ResidualBlock<P>{op.x, op.residual, op.dropout, op.rows, op.z});
    detail::thrust_each(policy, op.z.rows, detail::RowStatistics<P>{op.z, StatisticOf<P>(op.epsilon), op.mean, op.rstd});
    detail::thrust_each(policy, blocks, detail::NormalizedBlock<P>{op.z, op.mean, op.rstd, op.gamma, op.beta, {}, {}, op.y});
  }
};

/// Temporary memory: two statistics a row, and 2 D master values for every 64 rows.
template <class P>
struct ThrustKernel<ResidualNormBackward<P>> {
  static std::size_t scratch_bytes(Index rows, Index width) { return detail::norm_temporary_bytes<P>(rows, width); }
  template <class Context>
  static void run(Context& context, ResidualNormBackward<P> const& op) {
    auto policy = context.policy();
    // The columns first: dz may take the place of dy.
    detail::norm_parameter_gradients<P>(policy, op.dy, op.z, op.mean, op.rstd, op.dgamma, op.dbeta, op.write);
    detail::Temporary<StatisticOf<P>, decltype(policy)> const means(policy, 2 * op.z.rows);
    detail::thrust_each(policy, op.z.rows,
                        detail::RowGradientMeans<P>{op.dy, op.z, op.mean, op.rstd, op.gamma, means.data()});
    detail::thrust_each(policy, detail::column_blocks(op.z.rows, op.z.cols),
                        detail::NormGradientBlock<P>{op.dy, op.z, op.mean, op.rstd, op.gamma, means.data(), op.dropout,
                                                     op.rows, op.dz, op.dx});
  }
};

}  // namespace hone
