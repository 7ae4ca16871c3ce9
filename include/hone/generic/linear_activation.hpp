#pragma once

#include "hone/generic/activation.hpp"
#include "hone/generic/linear.hpp"
#include "hone/ops/linear_activation.hpp"

namespace hone {

/// One after the other; where u is not kept it passes through h.
template <class P>
struct GenericKernel<LinearActivationForward<P>> {
  template <class Context>
  static void run(Context& context, LinearActivationForward<P> const& op) {
    auto const u = op.u ? op.u : op.h;
    GenericKernel<LinearForward<P>>::run(context, {op.x, op.weight, op.bias, u, op.weight_version});
    GenericKernel<ActivationForward<P>>::run(context, {op.kind, u, op.h});
  }
};

template <class P>
struct GenericKernel<LinearActivationBackwardInput<P>> {
  template <class Context>
  static void run(Context& context, LinearActivationBackwardInput<P> const& op) {
    GenericKernel<LinearBackwardInput<P>>::run(context, {op.dy, op.weight, op.du, Write::assign, op.weight_version});
    GenericKernel<ActivationBackward<P>>::run(context, {op.kind, op.u, op.du, op.du});
  }
};

}  // namespace hone
