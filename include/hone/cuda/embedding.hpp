#pragma once

#include <cmath>

#include "hone/cuda/norm_backward.hpp"
#include "hone/cuda/row_tile.hpp"
#include "hone/cuda/table_gradient.hpp"
#include "hone/ops/embedding.hpp"

namespace hone {
namespace detail {

/// A warp a row: three gathers, the norm and dropout in one pass.
template <class P, class Tile>
struct EmbeddingForwardKernel {
  static constexpr char const* name = "embedding_forward";
  static constexpr int threads = row_threads;
  EmbeddingForward<P> op;
  StatisticOf<P> scale;  // of what dropout keeps

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const n = thread.block() * row_warps + thread.warp(), width = op.z.cols;
    if (n >= op.z.rows) return;
    A const *const word = op.word.row(op.tokens[n]), *const position = op.position.row(op.positions[n]),
                   *const segment = op.segment.row(op.segments[n]);
    Octet<A> z[Tile::room] = {};
    S sum = 0;
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      Octet<A> const a = Tile::load(word, column, width), b = Tile::load(segment, column, width),
                     c = Tile::load(position, column, width);
      Octet<A>& mine = z[Tile::at(k)];
      S values[octet];
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) values[i] = S(a.get(i)) + S(b.get(i)) + S(c.get(i));
      mine = to_pack<A>(values);
      HONE_DEVICE_UNROLL
      for (int i = 0; i < octet; ++i) sum += S(mine.get(i));  // zero past the width
      if constexpr (!Tile::holds) Tile::store(op.z.row(n), column, width, mine);
    }
    A const* const row = op.z.row(n);
    RowMoments<S> const moments = row_moments<Tile>(thread, z, row, width, sum, S(op.epsilon));
    HONE_DEVICE_UNROLL
    for (int k = 0; k < Tile::octets(width); ++k) {
      Index const column = Tile::column(thread, k);
      if (column >= width) continue;
      if constexpr (Tile::holds) {
        Tile::store(op.z.row(n), column, width, z[k]);
      } else {
        z[0] = Tile::load(row, column, width);
      }
      S y[octet];
      normalize<Tile>(z[Tile::at(k)], moments, op.gamma.data, op.beta.data, column, width, y);
      if (op.dropout.active()) drop(dropout_words(op.dropout, op.rows, n, column), op.dropout.threshold, scale, y);
      Tile::store(op.y.row(n), column, width, to_pack<A>(y));
    }
    if (thread.lane() == 0) {
      op.mean[n] = moments.mean;
      op.rstd[n] = moments.rstd;
    }
  }
};

}  // namespace detail

template <class P>
struct CudaKernel<EmbeddingForward<P>> {
  template <class Context>
  static void run(Context& context, EmbeddingForward<P> const& op) {
    using namespace detail;
    bool const wide = is_wide(op.word) && is_wide(op.position) && is_wide(op.segment) && is_wide(op.z) && is_wide(op.y) &&
                      is_wide(op.gamma) && is_wide(op.beta);
    with_row_tile<4>(op.z.cols, wide, [&]<class Tile>(Tile) {
      context.launch(LaunchShape{.blocks = row_blocks(op.z.rows)},
                     EmbeddingForwardKernel<P, Tile>{op, StatisticOf<P>(op.dropout.scale())});
    });
  }
};

template <class P>
struct CudaKernel<EmbeddingBackward<P>> {
  /// The norm's sums are done with their memory before the tables need theirs.
  static std::size_t scratch_bytes(Index rows, Index width) {
    std::size_t const norm = static_cast<std::size_t>(detail::most_norm_partials(rows, width)) * sizeof(MasterOf<P>);
    std::size_t const tables = detail::TableScratch<P>{rows, width}.bytes();
    return norm > tables ? norm : tables;
  }
  template <class Context>
  static void run(Context& context, EmbeddingBackward<P> const& op) {
    using namespace detail;
    using M = MasterOf<P>;
    void* const scratch = context.scratch(scratch_bytes(op.z.rows, op.z.cols));
    norm_backward<DropoutOf::input, P>(context, {op.dy, op.z, op.mean, op.rstd, op.gamma, op.dropout, op.rows, op.dz, {}},
                                       op.dgamma, op.dbeta, op.write, static_cast<M*>(scratch));
    table_gradient<P>(context, {op.tokens, op.positions, op.segments}, op.dz, {op.dword, op.dposition, op.dsegment},
                      op.write, scratch);
  }
};

}  // namespace hone
