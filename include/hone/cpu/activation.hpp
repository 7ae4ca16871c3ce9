#pragma once

#include "hone/core/host_context.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/cpu/vector_math.hpp"
#include "hone/ops/activation.hpp"

namespace hone {
namespace detail {

/// activation(u) and activation'(u), lane by lane.
template <class T, Activation kind>
HONE_ALWAYS_INLINE inline void activate(Vec<T> u, Vec<T>& value, Vec<T>& derivative) {
  if constexpr (kind == Activation::gelu) {
    auto const normal = vector_normal<T>(u);
    value = u * normal.cdf;
    derivative = normal.cdf + u * normal.density;
  } else if constexpr (kind == Activation::gelu_new) {
    // (1 + tanh(w)) / 2 = logistic(2 w)
    Vec<T> const cubic = u * u * T(0.044715);
    Vec<T> const s = vector_logistic<T>(u * T(1.59576912160573071176) * (cubic + T(1)));
    value = u * s;
    derivative = s + value * (T(1) - s) * T(1.59576912160573071176) * (cubic * T(3) + T(1));
  } else {
    value = u > T(0) ? u : Vec<T>{};
    derivative = u > T(0) ? splat(T(1)) : Vec<T>{};
  }
}

/// Calls body(kind) with the kind as a compile-time constant.
template <class Body>
void with_activation(Activation kind, Body const& body) {
  switch (kind) {
    case Activation::gelu:
      return body(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::gelu_new:
      return body(std::integral_constant<Activation, Activation::gelu_new>{});
    case Activation::relu:
      return body(std::integral_constant<Activation, Activation::relu>{});
  }
}

}  // namespace detail

template <class P>
struct CpuKernel<ActivationForward<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, ActivationForward<P> const& op) {
    detail::with_activation(op.kind, [&](auto kind) {
      context.pool().parallel_for(op.u.rows, 16, [&](Index begin, Index end) {
        for (Index n = begin; n < end; ++n) {
          T const* const u = op.u.row(n);
          T* const h = op.h.row(n);
          detail::for_vectors<T>(op.u.cols, [&](Index c, auto part) HONE_ALWAYS_INLINE {
            detail::Vec<T> value, derivative;
            detail::activate<T, decltype(kind)::value>(detail::load(u + c, part), value, derivative);
            detail::store<T>(h + c, value, part);
          });
        }
      });
    });
  }
};

template <class P>
struct CpuKernel<ActivationBackward<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, ActivationBackward<P> const& op) {
    detail::with_activation(op.kind, [&](auto kind) {
      context.pool().parallel_for(op.u.rows, 16, [&](Index begin, Index end) {
        for (Index n = begin; n < end; ++n) {
          T const *const u = op.u.row(n), *const dh = op.dh.row(n);
          T* const du = op.du.row(n);
          detail::for_vectors<T>(op.u.cols, [&](Index c, auto part) HONE_ALWAYS_INLINE {
            detail::Vec<T> value, derivative;
            detail::activate<T, decltype(kind)::value>(detail::load(u + c, part), value, derivative);
            detail::store<T>(du + c, detail::load(dh + c, part) * derivative, part);
          });
        }
      });
    });
  }
};

}  // namespace hone
