#pragma once

#include "hone/generic/rung.hpp"
#include "hone/ops/linear_residual.hpp"

namespace hone {
namespace detail {

/// Element i of z, row-major.
template <class P>
struct LinearResidualElement {
  LinearResidualForward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using S = StatisticOf<P>;
    Index const n = i / op.z.cols, o = i % op.z.cols;
    S sum = 0;
    for (Index c = 0; c < op.x.cols; ++c) sum += S(op.x(n, c)) * S(op.weight(o, c));
    if (op.bias) sum += S(op.bias[o]);
    if (op.dropout.active())
      sum *= op.dropout.keeps(o, op.rows.position[n], op.rows.example(n)) ? S(op.dropout.scale()) : S(0);
    op.z(n, o) = ActivationOf<P>(S(op.residual(n, o)) + sum);
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<LinearResidualForward<P>> {
  template <class Context>
  static void run(Context& context, LinearResidualForward<P> const& op) {
    context.for_each(op.z.rows * op.z.cols, detail::LinearResidualElement<P>{op});
  }
};

}  // namespace hone
