#pragma once

#include "hone/generic/layer_norm_row.hpp"
#include "hone/generic/residual_norm.hpp"
#include "hone/generic/rung.hpp"
#include "hone/ops/embedding.hpp"

namespace hone {
namespace detail {

template <class P>
struct EmbeddingForwardRow {
  EmbeddingForward<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    using S = StatisticOf<P>;
    Index const width = op.z.cols;
    for (Index c = 0; c < width; ++c)
      op.z(n, c) = ActivationOf<P>(S(op.word(op.tokens[n], c)) + S(op.segment(op.segments[n], c)) +
                                   S(op.position(op.positions[n], c)));
    layer_norm_row(static_cast<ActivationOf<P> const*>(op.z.row(n)), op.gamma.data, op.beta.data, StatisticOf<P>(op.epsilon),
                   width, op.y.row(n), op.mean[n], op.rstd[n]);
    if (op.dropout.active())
      dropout_row(static_cast<ActivationOf<P> const*>(op.y.row(n)), op.dropout, op.rows.position[n], op.rows.example(n),
                  width, op.y.row(n));
  }
};

/// dz = mask * dy, which is what the norm's parameters and then its input see.
template <class P>
struct EmbeddingDropoutRow {
  EmbeddingBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    dropout_row(op.dy.row(n), op.dropout, op.rows.position[n], op.rows.example(n), op.z.cols, op.dz.row(n));
  }
};

template <class P>
struct EmbeddingNormRow {
  EmbeddingBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    layer_norm_backward_row(static_cast<ActivationOf<P> const*>(op.dz.row(n)), op.z.row(n), op.gamma.data, op.mean[n],
                            op.rstd[n], op.z.cols, op.dz.row(n));
  }
};

/// Column c of one table: rows in order, so that the sum for each entry has a fixed order.
template <class P>
struct TableColumn {
  VectorView<std::int32_t const> ids;
  MatrixView<ActivationOf<P>> dz;
  MatrixView<MasterOf<P>> dtable;
  Write write;
  HONE_HOST_DEVICE void operator()(Index c) const {
    if (write == Write::assign)
      for (Index i = 0; i < dtable.rows; ++i) dtable(i, c) = 0;
    for (Index n = 0; n < dz.rows; ++n) dtable(ids[n], c) += MasterOf<P>(dz(n, c));
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<EmbeddingForward<P>> {
  template <class Context>
  static void run(Context& context, EmbeddingForward<P> const& op) {
    context.for_each(op.z.rows, detail::EmbeddingForwardRow<P>{op});
  }
};

template <class P>
struct GenericKernel<EmbeddingBackward<P>> {
  template <class Context>
  static void run(Context& context, EmbeddingBackward<P> const& op) {
    context.for_each(op.z.rows, detail::EmbeddingDropoutRow<P>{op});
    context.for_each(op.z.cols,
                     detail::NormParameterColumn<P>{op.dz, op.z, op.mean, op.rstd, op.dgamma, op.dbeta, op.write});
    context.for_each(op.z.rows, detail::EmbeddingNormRow<P>{op});
    context.for_each(op.z.cols, detail::TableColumn<P>{op.tokens, op.dz, op.dword, op.write});
    context.for_each(op.z.cols, detail::TableColumn<P>{op.positions, op.dz, op.dposition, op.write});
    context.for_each(op.z.cols, detail::TableColumn<P>{op.segments, op.dz, op.dsegment, op.write});
  }
};

}  // namespace hone
