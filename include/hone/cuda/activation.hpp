#pragma once

#include <type_traits>

#include "hone/cuda/element_grid.hpp"
#include "hone/generic/activation.hpp"
#include "hone/ops/activation.hpp"

namespace hone {
namespace detail {

template <class P, Activation kind, bool wide>
struct ActivationForwardKernel {
  static constexpr char const* name = "activation_forward";
  static constexpr int threads = element_threads;
  ActivationForward<P> op;
  ElementGrid grid;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    Index const n = grid.row(thread), column = grid.column(thread, n);
    if (column >= grid.width) return;
    Octet<A> const u = load_pack<wide, octet>(op.u.row(n), column, grid.width);
    StatisticOf<P> h[octet];
    HONE_DEVICE_UNROLL
    for (int i = 0; i < octet; ++i) h[i] = activation_value(kind, StatisticOf<P>(u.get(i)));
    store_pack<wide>(op.h.row(n), column, grid.width, to_pack<A>(h));
  }
};

template <class P, Activation kind, bool wide>
struct ActivationBackwardKernel {
  static constexpr char const* name = "activation_backward";
  static constexpr int threads = element_threads;
  ActivationBackward<P> op;
  ElementGrid grid;

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const n = grid.row(thread), column = grid.column(thread, n);
    if (column >= grid.width) return;
    Octet<A> const u = load_pack<wide, octet>(op.u.row(n), column, grid.width);
    Octet<A> const dh = load_pack<wide, octet>(op.dh.row(n), column, grid.width);
    S du[octet];
    HONE_DEVICE_UNROLL
    for (int i = 0; i < octet; ++i) du[i] = S(dh.get(i)) * activation_derivative(kind, S(u.get(i)));
    store_pack<wide>(op.du.row(n), column, grid.width, to_pack<A>(du));
  }
};

/// body(constant of the kind, constant of whether accesses are wide)
template <class Body>
void with_activation(Activation kind, bool wide, Body const& body) {
  auto const with_kind = [&]<Activation k>(std::integral_constant<Activation, k> constant) {
    if (wide) {
      body(constant, std::true_type{});
    } else {
      body(constant, std::false_type{});
    }
  };
  switch (kind) {
    case Activation::gelu:
      return with_kind(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::gelu_new:
      return with_kind(std::integral_constant<Activation, Activation::gelu_new>{});
    case Activation::relu:
      return with_kind(std::integral_constant<Activation, Activation::relu>{});
  }
}

template <class A>
bool is_flat(MatrixView<A> const& x) {
  return x.stride == x.cols;
}

}  // namespace detail

template <class P>
struct CudaKernel<ActivationForward<P>> {
  template <class Context>
  static void run(Context& context, ActivationForward<P> const& op) {
    using namespace detail;
    auto const grid = ElementGrid::of(octet, op.u.rows, op.u.cols, is_flat(op.u) && is_flat(op.h));
    bool const wide = grid.width % octet == 0 && is_wide(op.u) && is_wide(op.h);
    with_activation(op.kind, wide, [&](auto kind, auto is_wide_access) {
      context.launch(grid.shape(), ActivationForwardKernel<P, kind(), is_wide_access()>{op, grid});
    });
  }
};

template <class P>
struct CudaKernel<ActivationBackward<P>> {
  template <class Context>
  static void run(Context& context, ActivationBackward<P> const& op) {
    using namespace detail;
    auto const grid = ElementGrid::of(octet, op.u.rows, op.u.cols, is_flat(op.u) && is_flat(op.dh) && is_flat(op.du));
    bool const wide = grid.width % octet == 0 && is_wide(op.u) && is_wide(op.dh) && is_wide(op.du);
    with_activation(op.kind, wide, [&](auto kind, auto is_wide_access) {
      context.launch(grid.shape(), ActivationBackwardKernel<P, kind(), is_wide_access()>{op, grid});
    });
  }
};

}  // namespace hone
