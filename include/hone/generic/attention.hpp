#pragma once

#include <cmath>

#include "hone/core/rounding.hpp"
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
    auto score = [&](Index j) {
      return rounded_product(S(op.scale), head_dot<ActivationOf<P>, S>(q, op.k.row(j) + h * width, width));
    };
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

/// What one (query row, key row) pair of one head contributes to the gradients.
template <class S>
struct AttentionPair {
  S weight;  ///< mask * p / (1 - p_drop): dv += weight * dy
  S ds;      ///< scale * dS: dq += ds * k, dk += ds * q
};

template <class P>
HONE_HOST_DEVICE AttentionPair<StatisticOf<P>> attention_pair(AttentionBackward<P> const& op, Index b, Index h,
                                                              Index query_row, Index key_row,
                                                              StatisticOf<P> delta) {
  using std::exp;
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  Index const width = op.q.cols / op.heads, column = h * width;
  S const s =
      rounded_product(S(op.scale), head_dot<A, S>(op.q.row(query_row) + column, op.k.row(key_row) + column, width));
  S const p = exp(s - op.lse(query_row, h));
  S const mask = S(attention_mask(op.dropout, h, query_row - op.query_offsets[b], key_row - op.key_offsets[b],
                                  op.first_example + b));
  S const dp = mask * head_dot<A, S>(op.dy.row(query_row) + column, op.v.row(key_row) + column, width);
  return {mask * p, p * (dp - delta) * S(op.scale)};
}

inline constexpr Index attention_columns = 32;  // summed at once in the statistic's format, then rounded

/// dq of one (query row, head); leaves delta for the keys' pass. Keys in order.
template <class P>
struct AttentionBackwardQuery {
  AttentionBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const row = i / op.heads, h = i % op.heads, width = op.q.cols / op.heads, column = h * width;
    Index const b = sequence_of(op.query_offsets, row);
    S const delta = head_dot<A, S>(op.dy.row(row) + column, op.y.row(row) + column, width);
    op.delta(row, h) = delta;
    for (Index from = 0; from < width; from += attention_columns) {
      Index const count = width - from < attention_columns ? width - from : attention_columns;
      S dq[attention_columns] = {};
      for (Index j = op.key_offsets[b]; j < op.key_offsets[b + 1]; ++j) {
        S const ds = attention_pair(op, b, h, row, j, delta).ds;
        for (Index c = 0; c < count; ++c) dq[c] += ds * S(op.k(j, column + from + c));
      }
      for (Index c = 0; c < count; ++c) op.dq(row, column + from + c) = A(dq[c]);
    }
  }
};

/// dk and dv of one (key row, head): queries in order.
template <class P>
struct AttentionBackwardKey {
  AttentionBackward<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    Index const row = i / op.heads, h = i % op.heads, width = op.q.cols / op.heads, column = h * width;
    Index const b = sequence_of(op.key_offsets, row);
    for (Index from = 0; from < width; from += attention_columns) {
      Index const count = width - from < attention_columns ? width - from : attention_columns;
      S dk[attention_columns] = {}, dv[attention_columns] = {};
      for (Index j = op.query_offsets[b]; j < op.query_offsets[b + 1]; ++j) {
        auto const pair = attention_pair(op, b, h, j, row, op.delta(j, h));
        for (Index c = 0; c < count; ++c) {
          dk[c] += pair.ds * S(op.q(j, column + from + c));
          dv[c] += pair.weight * S(op.dy(j, column + from + c));
        }
      }
      for (Index c = 0; c < count; ++c) {
        op.dk(row, column + from + c) = A(dk[c]);
        op.dv(row, column + from + c) = A(dv[c]);
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
