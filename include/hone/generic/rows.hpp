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
    for (Index c = 0; c < op.dy.cols; ++c) op.dx(op.rows[i], c) += op.dy(i, c);
  }
};

template <class P>
struct ZeroRow {
  MatrixView<ActivationOf<P>> x;
  HONE_HOST_DEVICE void operator()(Index n) const {
    for (Index c = 0; c < x.cols; ++c) x(n, c) = ActivationOf<P>(0);
  }
};

template <class P>
struct AddRow {
  AddMatrices<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    for (Index c = 0; c < op.y.cols; ++c) op.y(n, c) = op.a(n, c) + op.b(n, c);
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

template <class P>
struct GenericKernel<ScatterRows<P>> {
  template <class Context>
  static void run(Context& context, ScatterRows<P> const& op) {
    context.for_each(op.dx.rows, detail::ZeroRow<P>{op.dx});
    context.for_each(op.rows.size, detail::ScatterAddRow<P>{{op.dy, op.rows, op.dx}});
  }
};

template <class P>
struct GenericKernel<AddMatrices<P>> {
  template <class Context>
  static void run(Context& context, AddMatrices<P> const& op) {
    context.for_each(op.y.rows, detail::AddRow<P>{op});
  }
};

}  // namespace hone
