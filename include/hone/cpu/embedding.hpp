#pragma once

#include <algorithm>

#include "hone/core/host_context.hpp"
#include "hone/cpu/layer_norm_row.hpp"
#include "hone/cpu/norm_backward.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/ops/embedding.hpp"

namespace hone {

template <class P>
struct CpuKernel<EmbeddingForward<P>> {
  using T = ActivationOf<P>;
  using V = detail::Vec<T>;
  static void run(HostContext& context, EmbeddingForward<P> const& op) {
    Index const width = op.z.cols;
    context.pool().parallel_for(op.z.rows, 16, [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n) {
        T const *const word = op.word.row(op.tokens[n]), *const segment = op.segment.row(op.segments[n]);
        T const* const position = op.position.row(op.positions[n]);
        T *const z = op.z.row(n), *const y = op.y.row(n);
        V total{};
        detail::for_vectors<T>(width, [&](Index c, auto part) HONE_ALWAYS_INLINE {
          V const value = detail::load(word + c, part) + detail::load(segment + c, part) + detail::load(position + c, part);
          detail::store<T>(z + c, value, part);
          total += value;
        });
        detail::layer_norm_vectors<T>(z, detail::sum<T>(total), op.gamma.data, op.beta.data, static_cast<T>(op.epsilon),
                                      width, y, op.mean[n], op.rstd[n]);
        if (op.dropout.active()) detail::drop_row<T>(op.dropout, op.rows, n, width, y, y);
      }
    });
  }
};

/// Each thread owns columns of all three tables and goes through the tokens in order, so that sums have a fixed order.
template <class P>
struct CpuKernel<EmbeddingBackward<P>> {
  using T = ActivationOf<P>;
  static void run(HostContext& context, EmbeddingBackward<P> const& op) {
    Index const width = op.z.cols;
    bool const drops = op.dropout.active();
    detail::norm_backward<T>(
        context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write,
        [&](Index n) -> T const* {
          if (!drops) return op.dy.row(n);
          detail::drop_row<T>(op.dropout, op.rows, n, width, op.dy.row(n), op.dz.row(n));
          return op.dz.row(n);
        },
        [](Index) {});
    if (op.write == Write::assign) {
      MatrixView<MasterOf<P>> const tables[] = {op.dword, op.dposition, op.dsegment};
      for (auto const& table : tables)
        context.pool().parallel_for(table.rows, 256, [&](Index begin, Index end) {
          for (Index i = begin; i < end; ++i) std::fill_n(table.row(i), width, MasterOf<P>(0));
        });
    }
    context.pool().parallel_for(width, 64, [&](Index begin, Index end) {
      for (Index n = 0; n < op.dz.rows; ++n) {
        T const* const from = op.dz.row(n) + begin;
        for (T* const to : {op.dword.row(op.tokens[n]), op.dposition.row(op.positions[n]), op.dsegment.row(op.segments[n])})
          detail::for_vectors<T>(end - begin, [&](Index c, auto part) HONE_ALWAYS_INLINE {
            detail::store<T>(to + begin + c, detail::load(to + begin + c, part) + detail::load(from + c, part), part);
          });
      }
    });
  }
};

}  // namespace hone
