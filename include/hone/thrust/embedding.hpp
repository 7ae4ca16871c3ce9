#pragma once

#include <thrust/copy.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>

#include "hone/ops/dropout.hpp"
#include "hone/ops/embedding.hpp"
#include "hone/thrust/dropout.hpp"
#include "hone/thrust/norm_rows.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

template <class P>
struct EmbeddingSum {
  VectorView<std::int32_t const> tokens, positions, segments;
  MatrixView<ActivationOf<P> const> word, position, segment;
  MatrixView<ActivationOf<P>> z;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using S = StatisticOf<P>;
    Index const n = i / z.cols, c = i % z.cols;
    z(n, c) = ActivationOf<P>(S(word(tokens[n], c)) + S(segment(segments[n], c)) + S(position(positions[n], c)));
  }
};

template <class M>
struct ZeroElement {
  MatrixView<M> x;
  HONE_HOST_DEVICE void operator()(Index i) const { x(i / x.cols, i % x.cols) = M(0); }
};

/// (sorted place, column): the place where an id begins adds up the rows that used it, which are in row order; the other
/// places have nothing to do.
template <class P>
struct TableSum {
  std::int32_t const *ids, *rows;  ///< (N): sorted ids, and the row each came from
  MatrixView<ActivationOf<P> const> dz;
  MatrixView<MasterOf<P>> dtable;
  Write write;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using M = MasterOf<P>;
    Index const begin = i / dz.cols, c = i % dz.cols;
    std::int32_t const id = ids[begin];
    if (begin > 0 && ids[begin - 1] == id) return;
    M sum = 0;
    for (Index at = begin; at < dz.rows && ids[at] == id; ++at) sum += M(StatisticOf<P>(dz(rows[at], c)));
    M& to = dtable(id, c);
    to = write == Write::add ? to + sum : sum;
  }
};

/// dtable(i, :) (+)= the sum of dz over the rows with id i, in row order: ids are sorted, rows of one id stay in order.
template <class P, class Policy>
void thrust_table_gradient(Policy& policy, VectorView<std::int32_t const> ids, MatrixView<ActivationOf<P> const> dz,
                           MatrixView<MasterOf<P>> dtable, Write write) {
  if (write == Write::assign) thrust_each(policy, dtable.rows * dtable.cols, ZeroElement<MasterOf<P>>{dtable});
  Index const count = dz.rows;
  Temporary<std::int32_t, Policy> const memory(policy, 2 * count);
  std::int32_t *const sorted = memory.data(), *const rows = sorted + count;
  ::thrust::copy(policy, ids.data, ids.data + count, sorted);
  ::thrust::sequence(policy, rows, rows + count);
  ::thrust::stable_sort_by_key(policy, sorted, sorted + count, rows);
  thrust_each(policy, count * dz.cols, TableSum<P>{sorted, rows, dz, dtable, write});
}

}  // namespace detail

template <class P>
struct ThrustKernel<EmbeddingForward<P>> {
  template <class Context>
  static void run(Context& context, EmbeddingForward<P> const& op) {
    auto const policy = context.policy();
    detail::thrust_each(
        policy, op.z.rows * op.z.cols,
        detail::EmbeddingSum<P>{op.tokens, op.positions, op.segments, op.word, op.position, op.segment, op.z});
    detail::thrust_each(policy, op.z.rows, detail::RowStatistics<P>{op.z, StatisticOf<P>(op.epsilon), op.mean, op.rstd});
    detail::thrust_each(policy, detail::column_blocks(op.z.rows, op.z.cols),
                        detail::NormalizedBlock<P>{op.z, op.mean, op.rstd, op.gamma, op.beta, op.dropout, op.rows, op.y});
  }
};

/// Temporary memory: two statistics a row, 2 D master values for every 64 rows, and two integers a row with what the sort
/// takes (about as much again).
template <class P>
struct ThrustKernel<EmbeddingBackward<P>> {
  /// The host's sort takes as many ids and rows again; what CUB's takes on a device depends on its version.
  static std::size_t scratch_bytes(Index rows, Index width) {
    std::size_t const norm = detail::norm_temporary_bytes<P>(rows, width);
    std::size_t const sort =
        detail::temporary_bytes<std::int32_t>(2 * rows) + 2 * detail::temporary_bytes<std::int32_t>(rows);
    return norm > sort ? norm : sort;
  }
  template <class Context>
  static void run(Context& context, EmbeddingBackward<P> const& op) {
    auto policy = context.policy();
    Index const blocks = detail::column_blocks(op.z.rows, op.z.cols);
    if (op.dropout.active() || op.dz.data != op.dy.data)
      detail::thrust_each(policy, blocks, detail::DropoutBlock<P>{{op.dy, op.dropout, op.rows, op.dz}});
    MatrixView<ActivationOf<P> const> const dz = op.dz;
    detail::norm_parameter_gradients<P>(policy, dz, op.z, op.mean, op.rstd, op.dgamma, op.dbeta, op.write);
    {
      detail::Temporary<StatisticOf<P>, decltype(policy)> const means(policy, 2 * op.z.rows);
      detail::thrust_each(policy, op.z.rows,
                          detail::RowGradientMeans<P>{dz, op.z, op.mean, op.rstd, op.gamma, means.data()});
      detail::thrust_each(
          policy, blocks,
          detail::NormGradientBlock<P>{dz, op.z, op.mean, op.rstd, op.gamma, means.data(), {}, {}, op.dz, {}});
    }
    detail::thrust_table_gradient<P>(policy, op.tokens, dz, op.dword, op.write);
    detail::thrust_table_gradient<P>(policy, op.positions, dz, op.dposition, op.write);
    detail::thrust_table_gradient<P>(policy, op.segments, dz, op.dsegment, op.write);
  }
};

}  // namespace hone
