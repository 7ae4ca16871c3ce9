#pragma once

#include <cmath>
#include <cstdint>

#include "hone/cuda/attention_columns.hpp"
#include "hone/cuda/attention_tiles.hpp"
#include "hone/ops/attention.hpp"

namespace hone::detail {

// Attention where every sequence has one query: keys and values are read once, no tile of queries is filled with nothing.
// A block has one head of one sequence; eight lanes have one key at a time, a lane C = W / 8 columns of it, and such a
// group takes every 16th eight of keys, so that one Philox call gives the mask of the eight. Groups are added in order.

/// A thread's place and the masks of its group's keys.
struct SingleQuery {
  static constexpr int threads = 128, groups = threads / 8;

  int part, group;  ///< which lane of the group, which group
  int keys, steps;  ///< of the sequence; in a step every group takes eight keys, some perhaps none
  std::uint32_t block, example, drawn = 0;

  template <class Thread>
  HONE_HOST_DEVICE SingleQuery(Thread const& thread, int key_count, Index first_example)
      : part(thread.lane() % 8),
        group(thread.index() / 8),
        keys(key_count),
        steps((key_count + 8 * groups - 1) / (8 * groups)),
        block(static_cast<std::uint32_t>(thread.block_y() * 8192)),
        example(static_cast<std::uint32_t>(first_example + thread.block())) {}

  HONE_HOST_DEVICE int first_key(int step) const { return 8 * (group + groups * step); }

  /// Bit i: whether the group's key first_key(step) + i is kept. Each lane draws for one of eight steps. All lanes call.
  template <class Thread>
  HONE_HOST_DEVICE std::uint32_t kept(Thread const& thread, Dropout const& dropout, int step) {
    if (!dropout.active()) return 0xFFu;
    if (step % 8 == 0)
      drawn = kept_bits(dropout, block + static_cast<std::uint32_t>(group + groups * (step + part)), 0, example);
    return thread.shuffle(drawn, thread.lane() / 8 * 8 + step % 8);
  }
};

template <class P, int W>
struct AttentionSingleForwardKernel {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  static constexpr int C = W / 8, groups = SingleQuery::groups;
  static constexpr char const* name = "attention_single_forward";
  static constexpr int threads = SingleQuery::threads;

  AttentionForward<P> op;
  AttentionPlan<S> plan;

  static LaunchShape shape(AttentionForward<P> const& op) {
    return {.blocks = op.q.rows, .blocks_y = op.heads, .shared_bytes = sizeof(S) * groups * (W + 2)};
  }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const b = thread.block(), head = thread.block_y(), query_row = op.query_offsets[b];
    std::int32_t const key_begin = op.key_offsets[b];
    SingleQuery place(thread, op.key_offsets[b + 1] - key_begin, op.first_example);
    auto const k = HeadRows<A const>::of(op.k, key_begin, place.keys, head, plan);
    auto const v = HeadRows<A const>::of(op.v, key_begin, place.keys, head, plan);
    int const column = C * place.part;
    S q[C], sums[C] = {}, highest = -S(HUGE_VAL), total = 0;
    load_columns(HeadRows<A const>::of(op.q, query_row, 1, head, plan), 0, column, q);
    for (int step = 0; step < place.steps; ++step) {
      std::uint32_t const kept = place.kept(thread, op.dropout, step);
      int const first = place.first_key(step);
      S scores[8], top = highest;
      HONE_UNROLL
      for (int i = 0; i < 8; ++i) {
        S key[C];
        load_columns(k, first + i, column, key);
        S const score = rounded_product(column_dot(thread, q, key), plan.scale);
        scores[i] = first + i < place.keys ? score : -S(HUGE_VAL);
        if (scores[i] > top) top = scores[i];
      }
      if (first >= place.keys) continue;
      S const factor = exponential(highest - top);
      highest = top;
      total *= factor;
      HONE_UNROLL
      for (int c = 0; c < C; ++c) sums[c] *= factor;
      HONE_UNROLL
      for (int i = 0; i < 8; ++i) {
        S const p = exponential(scores[i] - top), weight = kept >> i & 1u ? p : S(0);
        total += p;
        S value[C];
        load_columns(v, first + i, column, value);
        HONE_UNROLL
        for (int c = 0; c < C; ++c) sums[c] += weight * value[c];
      }
    }
    add_groups(thread, place, sums, highest, total, query_row, head);
  }

 private:
  template <class Thread>
  HONE_HOST_DEVICE void add_groups(Thread const& thread, SingleQuery const& place, S const (&sums)[C], S highest, S total,
                                   Index query_row, Index head) const {
    using std::log;
    auto const columns = thread.template shared<S>(0, groups * W);
    auto const numbers = thread.template shared<S>(sizeof(S) * groups * W, 2 * groups);
    HONE_UNROLL
    for (int c = 0; c < C; ++c) columns[place.group * W + C * place.part + c] = sums[c];
    if (place.part == 0) {
      numbers[2 * place.group] = highest;
      numbers[2 * place.group + 1] = total;
    }
    thread.barrier();
    int const column = thread.index();
    if (column >= plan.width) return;
    S top = numbers[0], sum = 0, y = 0;
    for (int g = 1; g < groups; ++g)
      if (numbers[2 * g] > top) top = numbers[2 * g];
    for (int g = 0; g < groups; ++g) {
      S const factor = exponential(numbers[2 * g] - top);  // 0 for a group that had no key
      sum += factor * numbers[2 * g + 1];
      y += factor * columns[g * W + column];
    }
    op.y(query_row, head * plan.width + column) = A(y * (plan.kept / sum));
    if (column == 0) op.lse(query_row, head) = top + log(sum);
  }
};

template <class P, int W>
struct AttentionSingleBackwardKernel {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  static constexpr int C = W / 8, groups = SingleQuery::groups;
  static constexpr char const* name = "attention_single_backward";
  static constexpr int threads = SingleQuery::threads;

  AttentionBackward<P> op;
  AttentionPlan<S> plan;

  static LaunchShape shape(AttentionBackward<P> const& op) {
    return {.blocks = op.q.rows, .blocks_y = op.heads, .shared_bytes = sizeof(S) * groups * W};
  }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    Index const b = thread.block(), head = thread.block_y(), query_row = op.query_offsets[b];
    std::int32_t const key_begin = op.key_offsets[b];
    SingleQuery place(thread, op.key_offsets[b + 1] - key_begin, op.first_example);
    auto const k = HeadRows<A const>::of(op.k, key_begin, place.keys, head, plan);
    auto const v = HeadRows<A const>::of(op.v, key_begin, place.keys, head, plan);
    auto const dk = HeadRows<A>::of(op.dk, key_begin, place.keys, head, plan);
    auto const dv = HeadRows<A>::of(op.dv, key_begin, place.keys, head, plan);
    int const column = C * place.part;
    S q[C], dy[C], y[C], dq[C] = {};
    load_columns(HeadRows<A const>::of(op.q, query_row, 1, head, plan), 0, column, q);
    load_columns(HeadRows<A const>::of(op.dy, query_row, 1, head, plan), 0, column, dy);
    load_columns(HeadRows<A const>::of(op.y, query_row, 1, head, plan), 0, column, y);
    S const lse = op.lse(query_row, head), delta = column_dot(thread, dy, y);
    S const scale = plan.scale, factor = plan.kept;
    if (thread.index() == 0) op.delta(query_row, head) = delta;
    for (int step = 0; step < place.steps; ++step) {
      std::uint32_t const kept = place.kept(thread, op.dropout, step);
      HONE_UNROLL
      for (int i = 0; i < 8; ++i) {
        int const row = place.first_key(step) + i;
        S key[C], value[C];
        load_columns(k, row, column, key);
        load_columns(v, row, column, value);
        S const score = rounded_product(column_dot(thread, q, key), scale), slope = column_dot(thread, dy, value);
        if (row >= place.keys) continue;
        S const p = exponential(score - lse), mask = kept >> i & 1u ? factor : S(0), ds = p * (mask * slope - delta);
        HONE_UNROLL
        for (int c = 0; c < C; ++c) dq[c] += ds * key[c];
        store_columns(dk, row, column, scale * ds, q);
        store_columns(dv, row, column, mask * p, dy);
      }
    }
    auto const columns = thread.template shared<S>(0, groups * W);
    HONE_UNROLL
    for (int c = 0; c < C; ++c) columns[place.group * W + column + c] = dq[c];
    thread.barrier();
    if (thread.index() >= plan.width) return;
    S sum = 0;
    for (int g = 0; g < groups; ++g) sum += columns[g * W + thread.index()];
    op.dq(query_row, head * plan.width + thread.index()) = A(scale * sum);
  }
};

}  // namespace hone::detail
