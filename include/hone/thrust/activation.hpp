#pragma once

#include "hone/generic/activation.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

template <class P>
struct ActivationValue {
  Activation kind;
  HONE_HOST_DEVICE ActivationOf<P> operator()(ActivationOf<P> u) const {
    return ActivationOf<P>(activation_value(kind, StatisticOf<P>(u)));
  }
};

template <class P>
struct ActivationGradient {
  Activation kind;
  HONE_HOST_DEVICE ActivationOf<P> operator()(ActivationOf<P> u, ActivationOf<P> dh) const {
    return ActivationOf<P>(StatisticOf<P>(dh) * activation_derivative(kind, StatisticOf<P>(u)));
  }
};

}  // namespace detail

template <class P>
struct ThrustKernel<ActivationForward<P>> {
  template <class Context>
  static void run(Context& context, ActivationForward<P> const& op) {
    detail::thrust_transform(context.policy(), op.u, op.h, detail::ActivationValue<P>{op.kind});
  }
};

template <class P>
struct ThrustKernel<ActivationBackward<P>> {
  template <class Context>
  static void run(Context& context, ActivationBackward<P> const& op) {
    detail::thrust_transform(context.policy(), op.u, op.dh, op.du, detail::ActivationGradient<P>{op.kind});
  }
};

}  // namespace hone
