#pragma once

#include "hone/generic/rung.hpp"
#include "hone/ops/linear.hpp"

namespace hone {
namespace detail {

/// Element i of y, row-major.
template <class P>
struct LinearForwardElement {
  LinearForward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / op.y.cols, o = i % op.y.cols;
    StatisticOf<P> sum = 0;
    for (Index c = 0; c < op.x.cols; ++c) sum += StatisticOf<P>(op.x(n, c)) * StatisticOf<P>(op.weight(o, c));
    if (op.bias) sum += StatisticOf<P>(op.bias[o]);
    op.y(n, o) = ActivationOf<P>(sum);
  }
};

template <class P>
struct LinearBackwardInputElement {
  LinearBackwardInput<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / op.dx.cols, c = i % op.dx.cols;
    StatisticOf<P> sum = 0;
    for (Index o = 0; o < op.dy.cols; ++o) sum += StatisticOf<P>(op.dy(n, o)) * StatisticOf<P>(op.weight(o, c));
    if (op.write == Write::add) sum += StatisticOf<P>(op.dx(n, c));
    op.dx(n, c) = ActivationOf<P>(sum);
  }
};

template <class P>
struct LinearBackwardWeightElement {
  LinearBackwardParameters<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const o = i / op.dweight.cols, c = i % op.dweight.cols;
    MasterOf<P> sum = 0;
    for (Index n = 0; n < op.x.rows; ++n) sum += MasterOf<P>(op.dy(n, o)) * MasterOf<P>(op.x(n, c));
    op.dweight(o, c) = op.write == Write::add ? op.dweight(o, c) + sum : sum;
  }
};

template <class P>
struct LinearBackwardBiasElement {
  LinearBackwardParameters<P> op;
  HONE_HOST_DEVICE void operator()(Index o) const {
    MasterOf<P> sum = 0;
    for (Index n = 0; n < op.dy.rows; ++n) sum += MasterOf<P>(op.dy(n, o));
    op.dbias[o] = op.write == Write::add ? op.dbias[o] + sum : sum;
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<LinearForward<P>> {
  template <class Context>
  static void run(Context& context, LinearForward<P> const& op) {
    context.for_each(op.y.rows * op.y.cols, detail::LinearForwardElement<P>{op});
  }
};

template <class P>
struct GenericKernel<LinearBackwardInput<P>> {
  template <class Context>
  static void run(Context& context, LinearBackwardInput<P> const& op) {
    context.for_each(op.dx.rows * op.dx.cols, detail::LinearBackwardInputElement<P>{op});
  }
};

template <class P>
struct GenericKernel<LinearBackwardParameters<P>> {
  template <class Context>
  static void run(Context& context, LinearBackwardParameters<P> const& op) {
    context.for_each(op.dweight.rows * op.dweight.cols, detail::LinearBackwardWeightElement<P>{op});
    if (op.dbias) context.for_each(op.dbias.size, detail::LinearBackwardBiasElement<P>{op});
  }
};

}  // namespace hone
