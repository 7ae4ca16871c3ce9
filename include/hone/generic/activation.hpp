#pragma once

#include <cmath>

#include "hone/generic/rung.hpp"
#include "hone/ops/activation.hpp"

namespace hone {
namespace detail {

/// activation(u); the formulas are beside the names in ops/activation.hpp.
template <class S>
HONE_HOST_DEVICE S activation_value(Activation kind, S u) {
  using std::erf, std::tanh;
  switch (kind) {
    case Activation::gelu: return u / S(2) * (S(1) + erf(u * S(0.70710678118654752440)));
    case Activation::gelu_new: {
      S const inner = S(0.79788456080286535588) * (u + S(0.044715) * u * u * u);
      return u / S(2) * (S(1) + tanh(inner));
    }
    case Activation::relu: return u > S(0) ? u : S(0);
  }
  return u;
}

/// activation'(u). gelu: Phi(u) + u * phi(u), phi the standard normal density.
template <class S>
HONE_HOST_DEVICE S activation_derivative(Activation kind, S u) {
  using std::erf, std::exp, std::tanh;
  switch (kind) {
    case Activation::gelu:
      return (S(1) + erf(u * S(0.70710678118654752440))) / S(2) + u * S(0.39894228040143267794) * exp(-u * u / S(2));
    case Activation::gelu_new: {
      S const t = tanh(S(0.79788456080286535588) * (u + S(0.044715) * u * u * u));
      S const inner = S(0.79788456080286535588) * (S(1) + S(3) * S(0.044715) * u * u);
      return (S(1) + t) / S(2) + u / S(2) * (S(1) - t * t) * inner;
    }
    case Activation::relu: return u > S(0) ? S(1) : S(0);
  }
  return S(1);
}

template <class P>
struct ActivationForwardElement {
  ActivationForward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / op.u.cols, c = i % op.u.cols;
    op.h(n, c) = ActivationOf<P>(activation_value(op.kind, StatisticOf<P>(op.u(n, c))));
  }
};

template <class P>
struct ActivationBackwardElement {
  ActivationBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    Index const n = i / op.u.cols, c = i % op.u.cols;
    op.du(n, c) = ActivationOf<P>(StatisticOf<P>(op.dh(n, c)) * activation_derivative(op.kind, StatisticOf<P>(op.u(n, c))));
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<ActivationForward<P>> {
  template <class Context>
  static void run(Context& context, ActivationForward<P> const& op) {
    context.for_each(op.u.rows * op.u.cols, detail::ActivationForwardElement<P>{op});
  }
};

template <class P>
struct GenericKernel<ActivationBackward<P>> {
  template <class Context>
  static void run(Context& context, ActivationBackward<P> const& op) {
    context.for_each(op.u.rows * op.u.cols, detail::ActivationBackwardElement<P>{op});
  }
};

}  // namespace hone
