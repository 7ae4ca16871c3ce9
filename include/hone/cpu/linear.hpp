#pragma once

#include "hone/cpu/column_sums.hpp"
#include "hone/cpu/gemm.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/ops/linear.hpp"

namespace hone {

template <class P>
struct CpuKernel<LinearForward<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, LinearForward<P> const& op) {
    using Operand = detail::Operand<T>;
    detail::gemm<T>(context, Operand::of(op.x), Operand::transposed(op.weight), op.y, op.x.cols, op.bias, Write::assign);
  }
};

template <class P>
struct CpuKernel<LinearBackwardInput<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, LinearBackwardInput<P> const& op) {
    using Operand = detail::Operand<T>;
    detail::gemm<T>(context, Operand::of(op.dy), Operand::of(op.weight), op.dx, op.dy.cols, {}, op.write);
  }
};

template <class P>
struct CpuKernel<LinearBackwardParameters<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, LinearBackwardParameters<P> const& op) {
    using Operand = detail::Operand<T>;
    detail::gemm<T>(context, Operand::transposed(op.dy), Operand::of(op.x), op.dweight, op.x.rows, {}, op.write);
    if (!op.dbias) return;
    detail::column_sums<T, 1>(
        context, op.dy.rows, op.dy.cols,
        [&](Index n, Index c, auto part, Vec* sums) HONE_ALWAYS_INLINE { sums[0] += detail::load(op.dy.row(n) + c, part); },
        {op.dbias}, op.write);
  }

 private:
  using Vec = detail::Vec<T>;
};

}  // namespace hone
