#pragma once

#include "hone/ops/rows.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

template <class P>
struct GatherElement {
  GatherRows<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const row = i / op.y.cols, c = i % op.y.cols;
    op.y(row, c) = op.x(op.rows[row], c);
  }
};

template <class P>
struct ScatterAddElement {
  ScatterAddRows<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const row = i / op.dy.cols, c = i % op.dy.cols;
    ActivationOf<P>& dx = op.dx(op.rows[row], c);
    dx = ActivationOf<P>(StatisticOf<P>(dx) + StatisticOf<P>(op.dy(row, c)));
  }
};

}  // namespace detail

template <class P>
struct ThrustKernel<GatherRows<P>> {
  template <class Context>
  static void run(Context& context, GatherRows<P> const& op) {
    detail::thrust_each(context.policy(), op.rows.size * op.y.cols, detail::GatherElement<P>{op});
  }
};

template <class P>
struct ThrustKernel<ScatterAddRows<P>> {
  template <class Context>
  static void run(Context& context, ScatterAddRows<P> const& op) {
    detail::thrust_each(context.policy(), op.rows.size * op.dy.cols, detail::ScatterAddElement<P>{op});
  }
};

}  // namespace hone
