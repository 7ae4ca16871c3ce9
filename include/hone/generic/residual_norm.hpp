#pragma once

#include "hone/generic/layer_norm_row.hpp"
#include "hone/generic/rung.hpp"
#include "hone/ops/residual_norm.hpp"

namespace hone {
namespace detail {

template <class P>
struct ResidualNormForwardRow {
  ResidualNormForward<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const width = op.z.cols;
    A* z = op.z.row(n);
    if (op.dropout.active()) {
      dropout_row(op.x.row(n), op.dropout, op.rows.position[n], op.rows.example(n), width, z);
    } else {
      for (Index c = 0; c < width; ++c) z[c] = op.x(n, c);
    }
    if (op.residual)
      for (Index c = 0; c < width; ++c) z[c] = A(S(z[c]) + S(op.residual(n, c)));
    layer_norm_row(z, op.gamma.data, op.beta.data, StatisticOf<P>(op.epsilon), width, op.y.row(n), op.mean[n], op.rstd[n]);
  }
};

/// Column c of dgamma and dbeta: every row in order.
template <class P>
struct NormParameterColumn {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<MasterOf<P>> dgamma, dbeta;
  Write write;
  HONE_HOST_DEVICE void operator()(Index c) const {
    MasterOf<P> gamma_sum = 0, beta_sum = 0;
    for (Index n = 0; n < dy.rows; ++n) {
      gamma_sum += MasterOf<P>(StatisticOf<P>(dy(n, c)) * ((StatisticOf<P>(z(n, c)) - mean[n]) * rstd[n]));
      beta_sum += MasterOf<P>(dy(n, c));
    }
    dgamma[c] = write == Write::add ? dgamma[c] + gamma_sum : gamma_sum;
    dbeta[c] = write == Write::add ? dbeta[c] + beta_sum : beta_sum;
  }
};

template <class P>
struct ResidualNormBackwardRow {
  ResidualNormBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    Index const width = op.z.cols;
    layer_norm_backward_row(op.dy.row(n), op.z.row(n), op.gamma.data, op.mean[n], op.rstd[n], width, op.dz.row(n));
    if (!op.dx) return;
    if (op.dropout.active()) {
      dropout_row(static_cast<ActivationOf<P> const*>(op.dz.row(n)), op.dropout, op.rows.position[n], op.rows.example(n),
                  width, op.dx.row(n));
    } else if (op.dx.data != op.dz.data) {
      for (Index c = 0; c < width; ++c) op.dx(n, c) = op.dz(n, c);
    }
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<ResidualNormForward<P>> {
  template <class Context>
  static void run(Context& context, ResidualNormForward<P> const& op) {
    context.for_each(op.z.rows, detail::ResidualNormForwardRow<P>{op});
  }
};

template <class P>
struct GenericKernel<ResidualNormBackward<P>> {
  template <class Context>
  static void run(Context& context, ResidualNormBackward<P> const& op) {
    // The columns first: dz may take the place of dy.
    context.for_each(op.z.cols,
                     detail::NormParameterColumn<P>{op.dy, op.z, op.mean, op.rstd, op.dgamma, op.dbeta, op.write});
    context.for_each(op.z.rows, detail::ResidualNormBackwardRow<P>{op});
  }
};

}  // namespace hone
