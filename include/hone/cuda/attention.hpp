#pragma once

#include <type_traits>

#include "hone/cuda/attention_backward.hpp"
#include "hone/cuda/attention_forward.hpp"
#include "hone/cuda/attention_single.hpp"
#include "hone/cuda/rung.hpp"
#include "hone/generic/attention.hpp"
#include "hone/ops/attention.hpp"

namespace hone {
namespace detail {

template <int W>
using TileWidth = std::integral_constant<int, W>;

/// Calls body with the smallest tile width for heads of `width` columns. False, and no call, where there is none.
template <class Body>
bool with_tile_width(Index width, Body const& body) {
  if (width <= 32) body(TileWidth<32>{});
  else if (width <= 64) body(TileWidth<64>{});
  else if (width <= 128) body(TileWidth<128>{});
  else return false;
  return true;
}

template <template <class> class Op, class P>
AttentionPlan<StatisticOf<P>> attention_plan(Op<P> const& op, Index width, bool pieces) {
  using S = StatisticOf<P>;
  return {static_cast<int>(width), pieces, static_cast<S>(op.scale), static_cast<S>(op.dropout.scale())};
}

template <class Kernel, class Context, class Op, class Plan>
void launch_attention(Context& context, Op const& op, Plan const& plan) {
  context.launch(Kernel::shape(op), Kernel{op, plan});
}

}  // namespace detail

/// Attention without a matrix of scores in memory: tiles of queries against tiles of keys, or one query a sequence against
/// its keys. Heads of up to 128 columns; wider ones run on the generic rung. The host reads no offset.
template <class P>
struct CudaKernel<AttentionForward<P>> {
  template <class Context>
  static void run(Context& context, AttentionForward<P> const& op) {
    Index const width = op.q.cols / op.heads;
    bool const pieces = detail::has_whole_pieces(op.q, width) && detail::has_whole_pieces(op.k, width) &&
                        detail::has_whole_pieces(op.v, width) && detail::has_whole_pieces(op.y, width);
    auto const plan = detail::attention_plan(op, width, pieces);
    bool const done = detail::with_tile_width(width, [&]<int W>(detail::TileWidth<W>) {
      if (op.q.rows == op.query_offsets.size - 1)
        detail::launch_attention<detail::AttentionSingleForwardKernel<P, W>>(context, op, plan);
      else
        detail::launch_attention<detail::AttentionForwardKernel<P, W>>(context, op, plan);
    });
    if (!done) GenericKernel<AttentionForward<P>>::run(context, op);
  }
};

/// Scores and masks are computed again. Two kernels, over queries and over keys; one where a sequence has one query.
template <class P>
struct CudaKernel<AttentionBackward<P>> {
  template <class Context>
  static void run(Context& context, AttentionBackward<P> const& op) {
    Index const width = op.q.cols / op.heads;
    bool const pieces = detail::has_whole_pieces(op.q, width) && detail::has_whole_pieces(op.k, width) &&
                        detail::has_whole_pieces(op.v, width) && detail::has_whole_pieces(op.y, width) &&
                        detail::has_whole_pieces(op.dy, width) && detail::has_whole_pieces(op.dq, width) &&
                        detail::has_whole_pieces(op.dk, width) && detail::has_whole_pieces(op.dv, width);
    auto const plan = detail::attention_plan(op, width, pieces);
    bool const done = detail::with_tile_width(width, [&]<int W>(detail::TileWidth<W>) {
      if (op.q.rows == op.query_offsets.size - 1) {
        detail::launch_attention<detail::AttentionSingleBackwardKernel<P, W>>(context, op, plan);
      } else {
        detail::launch_attention<detail::AttentionBackwardQueryKernel<P, W>>(context, op, plan);
        detail::launch_attention<detail::AttentionBackwardKeyKernel<P, W>>(context, op, plan);
      }
    });
    if (!done) GenericKernel<AttentionBackward<P>>::run(context, op);
  }
};

}  // namespace hone
