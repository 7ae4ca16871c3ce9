#pragma once

#include <cmath>
#include <cstdint>

#include "hone/cuda/attention_products.hpp"
#include "hone/cuda/attention_tiles.hpp"
#include "hone/ops/attention.hpp"

namespace hone::detail {

/// One tile of queries of one head of one sequence against all its keys, which pass through shared memory tile by tile
/// while the next one is on its way. A warp keeps its queries' sums, and rescales them when a larger score appears.
///
/// Probabilities and products are never in memory. The order of every sum follows from the positions in the sequence alone,
/// so that a sequence's bits do not depend on its batch.
/// Source: Dao 2023, arXiv:2307.08691, section 3.1, algorithm 1.
template <class P, int W>
struct AttentionForwardKernel {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using Shape = AttentionShape<A, W>;
  static constexpr int M = Shape::row_tiles, T = Shape::stream_rows / 8;
  static constexpr char const* name = "attention_forward";
  static constexpr int threads = warp_size * Shape::warps;

  AttentionForward<P> op;
  AttentionPlan<S> plan;

  static LaunchShape shape(AttentionForward<P> const& op) {
    return {.blocks = tile_count(op.q.rows, op.query_offsets.size - 1, Shape::own_rows),
            .blocks_y = op.heads,
            .shared_bytes = static_cast<std::size_t>(stage_begin(2)) * sizeof(A)};
  }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    SequenceTile const tile = find_tile(op.query_offsets, Shape::own_rows, thread.block());
    if (tile.first >= tile.count) return;  // the whole block
    Index const head = thread.block_y();
    std::int32_t const key_begin = op.key_offsets[tile.sequence];
    int const keys = op.key_offsets[tile.sequence + 1] - key_begin, row = thread.warp() * Shape::warp_rows;
    auto const q = HeadRows<A const>::of(op.q, tile.begin, tile.count, head, plan);
    auto const k = HeadRows<A const>::of(op.k, key_begin, keys, head, plan);
    auto const v = HeadRows<A const>::of(op.v, key_begin, keys, head, plan);
    auto const queries = thread.template shared<A>(0, own_values);
    load_tile<Shape::own_rows, W, threads>(thread, queries, q, tile.first);
    load_keys(thread, k, v, 0, 0);
    Rows rows;
    bool const active = tile.first + row < tile.count;  // does this warp have queries?
    for (int first = 0, stage = 0; first < keys; first += Shape::stream_rows, stage ^= 1) {
      await_copies();
      thread.barrier();
      if (first + Shape::stream_rows < keys) load_keys(thread, k, v, first + Shape::stream_rows, stage ^ 1);
      if (active) add_keys(thread, rows, queries, row, tile, head, keys - first, first, stage);
    }
    if (active) finish(thread, rows, queries, row, tile, head);
  }

 private:
  static constexpr int own_values = tile_values<A, W>(Shape::own_rows);
  static constexpr int stream_values = tile_values<A, W>(Shape::stream_rows);
  HONE_HOST_DEVICE static constexpr int stage_begin(int stage) { return own_values + 2 * stage * stream_values; }

  struct Rows {  // what a lane knows of its rows: [m][upper or lower]
    S sums[M][W / 8][4] = {};
    S highest[M][2];
    S total[M][2] = {};  // of this lane's keys
    HONE_HOST_DEVICE Rows() {
      for (int m = 0; m < M; ++m) highest[m][0] = highest[m][1] = -S(HUGE_VAL);
    }
  };

  template <class Thread>
  HONE_HOST_DEVICE static auto stream_tile(Thread const& thread, int stage, int which) {
    return thread.template shared<A>(sizeof(A) * static_cast<std::size_t>(stage_begin(stage) + which * stream_values),
                                     stream_values);
  }

  template <class Thread>
  HONE_HOST_DEVICE static void load_keys(Thread const& thread, HeadRows<A const> const& k, HeadRows<A const> const& v,
                                         int first, int stage) {
    load_tile<Shape::stream_rows, W, threads>(thread, stream_tile(thread, stage, 0), k, first);
    load_tile<Shape::stream_rows, W, threads>(thread, stream_tile(thread, stage, 1), v, first);
  }

  template <class Thread, class Values>
  HONE_HOST_DEVICE void add_keys(Thread const& thread, Rows& rows, Values const& queries, int row, SequenceTile const& tile,
                                 Index head, int keys_left, int first_key, int stage) const {
    S scores[M][T][4] = {};
    add_row_products<A, W>(thread, scores, queries, row, stream_tile(thread, stage, 0), 0);
    S const scale = plan.scale;
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int t = 0; t < T; ++t)
        HONE_UNROLL
        for (int i = 0; i < 4; ++i) scores[m][t][i] = rounded_product(scores[m][t][i], scale);
    if (keys_left < Shape::stream_rows) hide(thread, scores, keys_left);
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int half = 0; half < 2; ++half) exponentials(thread, rows, scores[m], m, half);
    if (op.dropout.active()) {
      KeptKeys<Shape::warp_rows, T> const kept(
          thread.lane(), op.dropout, static_cast<std::uint32_t>(head * 8192 + first_key / 8),
          static_cast<std::uint32_t>(tile.first + row), static_cast<std::uint32_t>(op.first_example + tile.sequence));
      HONE_UNROLL
      for (int m = 0; m < M; ++m)
        HONE_UNROLL
        for (int half = 0; half < 2; ++half) drop(thread, kept, scores[m], m, half);
    }
    add_weighted_rows<A, W>(thread, rows.sums, scores, stream_tile(thread, stage, 1), 0);
  }

  /// Keys beyond the last have probability 0.
  template <class Thread>
  HONE_HOST_DEVICE static void hide(Thread const& thread, S (&scores)[M][T][4], int keys_left) {
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int t = 0; t < T; ++t)
        HONE_UNROLL
        for (int i = 0; i < 4; ++i)
          if (mma_column(thread, t, i) >= keys_left) scores[m][t][i] = -S(HUGE_VAL);
  }

  /// One row's scores become exp(score - highest), and what was summed before is rescaled to the new highest.
  template <class Thread>
  HONE_HOST_DEVICE static void exponentials(Thread const& thread, Rows& rows, S (&scores)[T][4], int m, int half) {
    S highest = rows.highest[m][half];
    HONE_UNROLL
    for (int t = 0; t < T; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j) highest = larger(highest, scores[t][2 * half + j]);
    highest = larger(highest, thread.shuffle_xor(highest, 1));
    highest = larger(highest, thread.shuffle_xor(highest, 2));
    S const factor = exponential(rows.highest[m][half] - highest);
    rows.highest[m][half] = highest;
    S total = 0;
    HONE_UNROLL
    for (int t = 0; t < T; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j) {
        S& score = scores[t][2 * half + j];
        score = exponential(score - highest);
        total += score;
      }
    rows.total[m][half] = rows.total[m][half] * factor + total;
    HONE_UNROLL
    for (int t = 0; t < W / 8; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j) rows.sums[m][t][2 * half + j] *= factor;
  }

  template <class Thread>
  HONE_HOST_DEVICE static void drop(Thread const& thread, KeptKeys<Shape::warp_rows, T> const& kept, S (&weights)[T][4],
                                    int m, int half) {
    auto const query = kept.of(thread, 16 * m + 8 * half + thread.lane() / 4, thread.lane() % 4 * 2);
    HONE_UNROLL
    for (int t = 0; t < T; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j)
        if (!query.keeps(t, j)) weights[t][2 * half + j] = S(0);
  }

  template <class Thread, class Values>
  HONE_HOST_DEVICE void finish(Thread const& thread, Rows& rows, Values const& queries, int row, SequenceTile const& tile,
                               Index head) const {
    using std::log;
    S const kept = plan.kept;
    S factor[M][2];
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int half = 0; half < 2; ++half) {
        S const total = quad_sum(thread, rows.total[m][half]);
        factor[m][half] = kept / total;
        int const query = tile.first + row + 16 * m + 8 * half + thread.lane() / 4;
        if (thread.lane() % 4 == 0 && query < tile.count)
          op.lse(tile.begin + query, head) = rows.highest[m][half] + log(total);
      }
    store_tile<W>(thread, queries, row, rows.sums, factor, HeadRows<A>::of(op.y, tile.begin, tile.count, head, plan),
                  tile.first + row);
  }
};

}  // namespace hone::detail
