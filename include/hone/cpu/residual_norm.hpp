#pragma once

#include "hone/core/host_context.hpp"
#include "hone/cpu/column_sums.hpp"
#include "hone/cpu/dropout_mask.hpp"
#include "hone/cpu/layer_norm_row.hpp"
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
        detail::layer_norm_vectors<T>(z, detail::sum<T>(total), op.gamma.data, op.beta.data, static_cast<T>(op.epsilon), width,
                                      op.y.row(n), op.mean[n], op.rstd[n]);
      }
    });
  }
};

template <class P>
struct CpuKernel<ResidualNormBackward<P>> {
  using T = ActivationOf<P>;
  using V = detail::Vec<T>;
  static void run(HostContext& context, ResidualNormBackward<P> const& op) {
    Index const width = op.z.cols, chunks = (op.z.rows + detail::partial_rows - 1) / detail::partial_rows;
    T* const partials = detail::scratch<T>(detail::Scratch::reduction, chunks * 2 * width);
    context.pool().parallel_for(op.z.rows, detail::partial_rows, [&](Index begin, Index end) {
      T* const dgamma = partials + begin / detail::partial_rows * 2 * width;
      T* const dbeta = dgamma + width;
      std::fill(dgamma, dbeta + width, T(0));
      T* const factors = detail::scratch<T>(detail::Scratch::tile, detail::dropout_factors_room(width));
      for (Index n = begin; n < end; ++n) {
        bool const drops = op.dx && op.dropout.active();
        if (drops) detail::dropout_factors(op.dropout, op.rows.position[n], op.rows.example(n), width, factors);
        T const *const dy = op.dy.row(n), *const z = op.z.row(n);
        T *const dz = op.dz.row(n), *const dx = op.dx && (drops || op.dx.data != op.dz.data) ? op.dx.row(n) : nullptr;
        T const mean = op.mean[n], rstd = op.rstd[n];
        auto const means = detail::layer_norm_means<T>(dy, z, op.gamma.data, mean, rstd, width);
        detail::for_vectors<T>(width, [&](Index c, auto part) HONE_ALWAYS_INLINE {
          V const slope = detail::load(dy + c, part), normal = (detail::load(z + c, part) - mean) * rstd;
          detail::store<T>(dgamma + c, detail::load(dgamma + c, part) + slope * normal, part);
          detail::store<T>(dbeta + c, detail::load(dbeta + c, part) + slope, part);
          V const value = (detail::load(op.gamma.data + c, part) * slope - means.g - normal * means.g_normal) * rstd;
          detail::store<T>(dz + c, value, part);
          if (dx) detail::store<T>(dx + c, drops ? value * detail::load(factors + c, part) : value, part);
        });
      }
    });
    detail::add_partials<T, 2>(context, {partials, chunks, 2 * width}, {op.dgamma, op.dbeta}, op.write);
  }
};

}  // namespace hone
