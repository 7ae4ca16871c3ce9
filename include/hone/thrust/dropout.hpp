#pragma once

#include "hone/ops/dropout.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

/// Eight columns of one row: one call of the random generator.
template <class P>
struct DropoutBlock {
  DropoutApply<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    ColumnBlock const at(i, op.x.cols);
    KeptColumns const kept(op.dropout, op.rows, at.row, at.block);
    S const scale = S(op.dropout.scale());
    for (Index c = at.begin; c < at.end; ++c) op.y(at.row, c) = kept[c - at.begin] ? A(S(op.x(at.row, c)) * scale) : A(0);
  }
};

}  // namespace detail

template <class P>
struct ThrustKernel<DropoutApply<P>> {
  template <class Context>
  static void run(Context& context, DropoutApply<P> const& op) {
    detail::thrust_each(context.policy(), detail::column_blocks(op.x.rows, op.x.cols), detail::DropoutBlock<P>{op});
  }
};

}  // namespace hone
