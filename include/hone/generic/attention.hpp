#pragma once

#include <cmath>

#include "hone/generic/rung.hpp"
#include "hone/ops/attention.hpp"

namespace hone {
namespace detail {

/// The sequence that a row belongs to: the b with offsets[b] <= row < offsets[b + 1].
HONE_HOST_DEVICE inline Index sequence_of(VectorView<std::int32_t const> offsets, Index row) {
  Index low = 0, high = offsets.size - 1;
  while (high - low > 1) {
    Index const middle = (low + high) / 2;
    if (offsets[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}

/// <a, b> over one head's E columns.
template <class A, class S>
HONE_HOST_DEVICE S head_dot(A const* a, A const* b, Index width) {
  S sum = 0;
  for (Index c = 0; c < width; ++c) sum += S(a[c]) * S(b[c]);
  return sum;
}

/// The factor of probability (query, key) of head h: 0 or 1 / (1 - p).
HONE_HOST_DEVICE inline double attention_mask(Dropout const& dropout, Index head, Index query, Index key, Index example) {
  if (!dropout.active()) return 1.0;
  return dropout.keeps(head * 65536 + key, query, example) ? dropout.scale() : 0.0;
}

/// One (query row, head): scores are computed three times rather than stored.
template <class P>
struct AttentionForwardQuery {
  AttentionForward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using std::exp, std::log;
    using S = StatisticOf<P>;
    Index const row = i / op.heads, h = i % op.heads, width = op.q.cols / op.heads;
    Index const b = sequence_of(op.query_offsets, row), query = row - op.query_offsets[b];
    Index const first = op.key_offsets[b], last = op.key_offsets[b + 1];
    ActivationOf<P> const* q = op.q.row(row) + h * width;
    auto score = [&](Index j) { return S(op.scale) * head_dot<ActivationOf<P>, S>(q, op.k.row(j) + h * width, width); };
    S highest = score(first);
    for (Index j = first + 1; j < last; ++j) {
      S const s = score(j);
      if (s > highest) highest = s;
    }
    S sum = 0;
    for (Index j = first; j < last; ++j) sum += exp(score(j) - highest);
    S const lse = highest + log(sum);
    op.lse(row, h) = lse;
    for (Index c = 0; c < width; ++c) {
      S y = 0;
      for (Index j = first; j < last; ++j)
        y += S(attention_mask(op.dropout, h, query, j - first, op.first_example + b)) * exp(score(j) - lse) *
             S(op.v(j, h * width + c));
      op.y(row, h * width + c) = ActivationOf<P>(y);
    }
  }
};

/// dq of one (query row, head); leaves delta for the keys' pass.
template <class P>
struct AttentionBackwardQuery {
  AttentionBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using std::exp;
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const row = i / op.heads, h = i % op.heads, width = op.q.cols / op.heads, column = h * width;
    Index const b = sequence_of(op.query_offsets, row), query = row - op.query_offsets[b];
    Index const first = op.key_offsets[b], last = op.key_offsets[b + 1];
    S const delta = head_dot<A, S>(op.dy.row(row) + column, op.y.row(row) + column, width);
    op.delta(row, h) = delta;
    for (Index c = 0; c < width; ++c) op.dq(row, column + c) = A(0);
    for (Index j = first; j < last; ++j) {
      S const s = S(op.scale) * head_dot<A, S>(op.q.row(row) + column, op.k.row(j) + column, width);
      S const mask = S(attention_mask(op.dropout, h, query, j - first, op.first_example + b));
      S const dp = mask * head_dot<A, S>(op.dy.row(row) + column, op.v.row(j) + column, width);
      S const ds = exp(s - op.lse(row, h)) * (dp - delta) * S(op.scale);
      for (Index c = 0; c < width; ++c) op.dq(row, column + c) += A(ds * S(op.k(j, column + c)));
    }
  }
};

/// dk and dv of one (key row, head): queries in order.
template <class P>
struct AttentionBackwardKey {
  AttentionBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using std::exp;
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const row = i / op.heads, h = i % op.heads, width = op.q.cols / op.heads, column = h * width;
    Index const b = sequence_of(op.key_offsets, row), key = row - op.key_offsets[b];
    Index const first = op.query_offsets[b], last = op.query_offsets[b + 1];
    for (Index c = 0; c < width; ++c) op.dk(row, column + c) = op.dv(row, column + c) = A(0);
    for (Index j = first; j < last; ++j) {
      S const s = S(op.scale) * head_dot<A, S>(op.q.row(j) + column, op.k.row(row) + column, width);
      S const p = exp(s - op.lse(j, h));
      S const mask = S(attention_mask(op.dropout, h, j - first, key, op.first_example + b));
      S const dp = mask * head_dot<A, S>(op.dy.row(j) + column, op.v.row(row) + column, width);
      S const ds = p * (dp - op.delta(j, h)) * S(op.scale);
      for (Index c = 0; c < width; ++c) {
        op.dk(row, column + c) += A(ds * S(op.q(j, column + c)));
        op.dv(row, column + c) += A(mask * p * S(op.dy(j, column + c)));
      }
    }
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<AttentionForward<P>> {
  template <class Context>
  static void run(Context& context, AttentionForward<P> const& op) {
    context.for_each(op.q.rows * op.heads, detail::AttentionForwardQuery<P>{op});
  }
};

template <class P>
struct GenericKernel<AttentionBackward<P>> {
  template <class Context>
  static void run(Context& context, AttentionBackward<P> const& op) {
    context.for_each(op.q.rows * op.heads, detail::AttentionBackwardQuery<P>{op});
    context.for_each(op.k.rows * op.heads, detail::AttentionBackwardKey<P>{op});
  }
};

}  // namespace hone
