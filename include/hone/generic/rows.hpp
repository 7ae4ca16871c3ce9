#pragma once

#include "hone/generic/rung.hpp"
#include "hone/ops/rows.hpp"

namespace hone {
namespace detail {

template <class P>
struct GatherRow {
  GatherRows<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    for (Index c = 0; c < op.y.cols; ++c) op.y(i, c) = op.x(op.rows[i], c);
  }
};

template <class P>
struct ScatterAddRow {
  ScatterAddRows<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    for (Index c = 0; c < op.dy.cols; ++c) {
      ActivationOf<P>& dx = op.dx(op.rows[i], c);
      dx = ActivationOf<P>(StatisticOf<P>(dx) + StatisticOf<P>(op.dy(i, c)));
    }
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<GatherRows<P>> {
  template <class Context>
  static void run(Context& context, GatherRows<P> const& op) {
    context.for_each(op.rows.size, detail::GatherRow<P>{op});
  }
};

template <class P>
struct GenericKernel<ScatterAddRows<P>> {
  template <class Context>
  static void run(Context& context, ScatterAddRows<P> const& op) {
    context.for_each(op.rows.size, detail::ScatterAddRow<P>{op});
  }
};

}  // namespace hone
