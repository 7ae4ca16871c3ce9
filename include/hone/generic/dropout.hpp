#pragma once

#include "hone/generic/layer_norm_row.hpp"
#include "hone/generic/rung.hpp"
#include "hone/ops/dropout.hpp"

namespace hone {
namespace detail {

template <class P>
struct DropoutApplyRow {
  DropoutApply<P> op;
  HONE_HOST_DEVICE void operator()(Index n) const {
    bool const active = op.dropout.active();
    dropout_row(op.x.row(n), op.dropout, active ? op.rows.position[n] : 0, active ? op.rows.example(n) : 0, op.x.cols,
                op.y.row(n));
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<DropoutApply<P>> {
  template <class Context>
  static void run(Context& context, DropoutApply<P> const& op) {
    context.for_each(op.x.rows, detail::DropoutApplyRow<P>{op});
  }
};

}  // namespace hone
