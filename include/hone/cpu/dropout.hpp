#pragma once

#include <algorithm>

#include "hone/cpu/norm_backward.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/ops/dropout.hpp"

namespace hone {

template <class P>
struct CpuKernel<DropoutApply<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, DropoutApply<P> const& op) {
    bool const drops = op.dropout.active();
    if (!drops && op.x.data == op.y.data) return;
    context.pool().parallel_for(op.x.rows, 16, [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n)
        if (drops)
          detail::drop_row<T>(op.dropout, op.rows, n, op.x.cols, op.x.row(n), op.y.row(n));
        else
          std::copy_n(op.x.row(n), op.x.cols, op.y.row(n));
    });
  }
};

}  // namespace hone
