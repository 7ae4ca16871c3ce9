#pragma once

#include "hone/core/host_context.hpp"
#include "hone/cpu/dropout_mask.hpp"
#include "hone/cpu/layer_norm_row.hpp"
#include "hone/cpu/norm_backward.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/ops/residual_norm.hpp"

namespace hone {

template <class P>
struct CpuKernel<ResidualNormForward<P>> {
  using T = ActivationOf<P>;
  using V = detail::Vec<T>;
  static void run(HostContext& context, ResidualNormForward<P> const& op) {
    Index const width = op.z.cols;
    context.pool().parallel_for(op.z.rows, 16, [&](Index begin, Index end) {
      T* const factors = detail::scratch<T>(detail::Scratch::tile, detail::dropout_factors_room(width));
      for (Index n = begin; n < end; ++n) {
        bool const drops = op.dropout.active();
        if (drops) detail::dropout_factors(op.dropout, op.rows.position[n], op.rows.example(n), width, factors);
        T const *const x = op.x.row(n), *const residual = op.residual ? op.residual.row(n) : nullptr;
        T* const z = op.z.row(n);
        V total{};
        detail::for_vectors<T>(width, [&](Index c, auto part) HONE_ALWAYS_INLINE {
          V value = detail::load(x + c, part);
          if (drops) value *= detail::load(factors + c, part);
          if (residual) value += detail::load(residual + c, part);
          detail::store<T>(z + c, value, part);
          total += value;
        });
        detail::layer_norm_vectors<T>(z, detail::sum<T>(total), op.gamma.data, op.beta.data, static_cast<T>(op.epsilon),
                                      width, op.y.row(n), op.mean[n], op.rstd[n]);
      }
    });
  }
};

template <class P>
struct CpuKernel<ResidualNormBackward<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, ResidualNormBackward<P> const& op) {
    Index const width = op.z.cols;
    bool const drops = op.dropout.active(), copies = op.dx && !drops && op.dx.data != op.dz.data;
    detail::norm_backward<T>(
        context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write,
        [&](Index n) { return op.dy.row(n); },
        [&](Index n) {
          if (op.dx && drops) detail::drop_row<T>(op.dropout, op.rows, n, width, op.dz.row(n), op.dx.row(n));
          if (copies) std::copy_n(op.dz.row(n), width, op.dx.row(n));
        });
  }
};

}  // namespace hone
