#pragma once

#include <cmath>
#include <cstdint>

#include "hone/cuda/attention_columns.hpp"
#include "hone/cuda/attention_products.hpp"
#include "hone/cuda/attention_tiles.hpp"
#include "hone/ops/attention.hpp"

namespace hone::detail {

// Backward takes two kernels, each of which sums in registers and writes its gradients once: the first over tiles of
// queries (delta, dQ), the second over tiles of keys (dK, dV). Both compute S and dP: seven products where one kernel that
// adds dQ with atomics takes five, so 1.4 times its arithmetic. In return the bits are always the same, and no
// gradient passes through memory in float.
// Source: Dao 2023, arXiv:2307.08691, section 3.1, algorithm 2.

/// A block's shared memory: two tiles of its own rows, then two stages of two tiles of the rows that pass, then two numbers
/// for each row of one block or of two stages.
template <class P, int W>
struct AttentionBackwardTiles {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using Shape = AttentionShape<A, W>;
  static constexpr int threads = warp_size * Shape::warps;
  static constexpr int own_values = tile_values<A, W>(Shape::own_rows);
  static constexpr int stream_values = tile_values<A, W>(Shape::stream_rows);
  static constexpr std::size_t statistics_begin = sizeof(A) * (2 * own_values + 4 * stream_values);
  static constexpr int statistics = Shape::own_rows > 4 * Shape::stream_rows ? Shape::own_rows : 4 * Shape::stream_rows;
  static constexpr std::size_t bytes = statistics_begin + sizeof(S) * statistics;

  template <class Thread>
  HONE_HOST_DEVICE static auto own(Thread const& thread, int which) {
    return thread.template shared<A>(sizeof(A) * static_cast<std::size_t>(which * own_values), own_values);
  }
  template <class Thread>
  HONE_HOST_DEVICE static auto stream(Thread const& thread, int stage, int which) {
    return thread.template shared<A>(
        sizeof(A) * static_cast<std::size_t>(2 * own_values + (2 * stage + which) * stream_values), stream_values);
  }
  template <class Thread>
  HONE_HOST_DEVICE static auto numbers(Thread const& thread) {
    return thread.template shared<S>(statistics_begin, statistics);
  }
  template <class Thread>
  HONE_HOST_DEVICE static void load(Thread const& thread, HeadRows<A const> const& a, HeadRows<A const> const& b, int first,
                                    int stage) {
    load_tile<Shape::stream_rows, W, threads>(thread, stream(thread, stage, 0), a, first);
    load_tile<Shape::stream_rows, W, threads>(thread, stream(thread, stage, 1), b, first);
  }
};

/// delta = <dy, y> and dQ = scale * dS K of one tile of queries of one head of one sequence, over all its keys in order.
template <class P, int W>
struct AttentionBackwardQueryKernel {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using Shape = AttentionShape<A, W>;
  using Tiles = AttentionBackwardTiles<P, W>;
  static constexpr int M = Shape::row_tiles, T = Shape::stream_rows >= 32 ? 4 : 2;  ///< 8 T keys at a time
  static constexpr char const* name = "attention_backward_query";
  static constexpr int threads = warp_size * Shape::warps;

  AttentionBackward<P> op;
  AttentionPlan<S> plan;

  static LaunchShape shape(AttentionBackward<P> const& op) {
    return {.blocks = tile_count(op.q.rows, op.query_offsets.size - 1, Shape::own_rows),
            .blocks_y = op.heads,
            .shared_bytes = Tiles::bytes};
  }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    SequenceTile const tile = find_tile(op.query_offsets, Shape::own_rows, thread.block());
    if (tile.first >= tile.count) return;  // the whole block
    Index const head = thread.block_y();
    std::int32_t const key_begin = op.key_offsets[tile.sequence];
    int const keys = op.key_offsets[tile.sequence + 1] - key_begin, row = thread.warp() * Shape::warp_rows;
    auto const k = HeadRows<A const>::of(op.k, key_begin, keys, head, plan);
    auto const v = HeadRows<A const>::of(op.v, key_begin, keys, head, plan);
    auto const dy = HeadRows<A const>::of(op.dy, tile.begin, tile.count, head, plan);
    load_tile<Shape::own_rows, W, threads>(thread, Tiles::own(thread, 0),
                                  HeadRows<A const>::of(op.q, tile.begin, tile.count, head, plan), tile.first);
    load_tile<Shape::own_rows, W, threads>(thread, Tiles::own(thread, 1), dy, tile.first);
    Tiles::load(thread, k, v, 0, 0);
    Rows rows;
    bool const active = tile.first + row < tile.count;
    if (active) begin_rows(thread, rows, row, tile, head);
    for (int first = 0, stage = 0; first < keys; first += Shape::stream_rows, stage ^= 1) {
      await_copies();
      thread.barrier();
      if (first + Shape::stream_rows < keys) Tiles::load(thread, k, v, first + Shape::stream_rows, stage ^ 1);
      for (int c = 0; active && c < Shape::stream_rows && first + c < keys; c += 8 * T)
        add_keys(thread, rows, row, tile, head, keys - first - c, first, stage, c);
    }
    if (!active) return;
    S const scale = plan.scale;
    S factor[M][2];
    HONE_UNROLL
    for (int m = 0; m < M; ++m) factor[m][0] = factor[m][1] = scale;
    store_tile<W>(thread, Tiles::own(thread, 0), row, rows.sums, factor,
                  HeadRows<A>::of(op.dq, tile.begin, tile.count, head, plan), tile.first + row);
  }

 private:
  struct Rows {
    S sums[M][W / 8][4] = {};
    S lse[M][2], delta[M][2];
  };

  /// delta, by eight lanes a row; then what a lane needs of its rows.
  template <class Thread>
  HONE_HOST_DEVICE void begin_rows(Thread const& thread, Rows& rows, int row, SequenceTile const& tile, Index head) const {
    auto const deltas = Tiles::numbers(thread);
    auto const y = HeadRows<A const>::of(op.y, tile.begin, tile.count, head, plan);
    auto const dy = HeadRows<A const>::of(op.dy, tile.begin, tile.count, head, plan);
    for (int r = row + thread.lane() / 8; r < row + Shape::warp_rows; r += 4) {
      int const query = tile.first + r;
      S output[W / 8], slope[W / 8];
      load_columns(y, query, W / 8 * (thread.lane() % 8), output);
      load_columns(dy, query, W / 8 * (thread.lane() % 8), slope);
      S const sum = column_dot(thread, slope, output);
      if (thread.lane() % 8 != 0) continue;
      deltas[r] = sum;
      if (query < tile.count) op.delta(tile.begin + query, head) = sum;
    }
    thread.warp_barrier();
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int half = 0; half < 2; ++half) {
        int const r = row + 16 * m + 8 * half + thread.lane() / 4, query = tile.first + r;
        rows.delta[m][half] = deltas[r];
        rows.lse[m][half] = query < tile.count ? op.lse(tile.begin + query, head) : S(HUGE_VAL);  // no row: p = 0
      }
  }

  template <class Thread>
  HONE_HOST_DEVICE void add_keys(Thread const& thread, Rows& rows, int row, SequenceTile const& tile, Index head,
                                 int keys_left, int first_key, int stage, int c) const {
    S scores[M][T][4] = {}, slopes[M][T][4] = {};
    auto const keys = Tiles::stream(thread, stage, 0), values = Tiles::stream(thread, stage, 1);
    add_row_products<A, W>(thread, scores, Tiles::own(thread, 0), row, keys, c);
    add_row_products<A, W>(thread, slopes, Tiles::own(thread, 1), row, values, c);
    if (op.dropout.active()) {
      KeptKeys<Shape::warp_rows, T> const kept(
          thread.lane(), op.dropout, static_cast<std::uint32_t>(head * 8192 + (first_key + c) / 8),
          static_cast<std::uint32_t>(tile.first + row), static_cast<std::uint32_t>(op.first_example + tile.sequence));
      HONE_UNROLL
      for (int m = 0; m < M; ++m)
        HONE_UNROLL
        for (int half = 0; half < 2; ++half) drop(thread, kept, slopes[m], m, half);
    }
    S const scale = plan.scale;
    HONE_UNROLL
    for (int m = 0; m < M; ++m)
      HONE_UNROLL
      for (int t = 0; t < T; ++t)
        HONE_UNROLL
        for (int i = 0; i < 4; ++i) {
          S const p = exponential(rounded_product(scores[m][t][i], scale) - rows.lse[m][i / 2]);
          scores[m][t][i] = mma_column(thread, t, i) < keys_left ? p * (slopes[m][t][i] - rows.delta[m][i / 2]) : S(0);
        }
    add_weighted_rows<A, W>(thread, rows.sums, scores, keys, c);
  }

  /// slopes = mask * slopes / (1 - p)
  template <class Thread>
  HONE_HOST_DEVICE void drop(Thread const& thread, KeptKeys<Shape::warp_rows, T> const& kept, S (&slopes)[T][4], int m,
                             int half) const {
    auto const query = kept.of(thread, 16 * m + 8 * half + thread.lane() / 4, thread.lane() % 4 * 2);
    S const factor = plan.kept;
    HONE_UNROLL
    for (int t = 0; t < T; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j) {
        S& slope = slopes[t][2 * half + j];
        slope = query.keeps(t, j) ? slope * factor : S(0);
      }
  }
};

/// dK = scale * dS^T Q and dV = (M * P)^T dY of one tile of keys of one head of one sequence, over all its queries in order;
/// delta is there. Scores are transposed, rows are keys, so that probabilities are the left operand as they are.
template <class P, int W>
struct AttentionBackwardKeyKernel {
  using A = ActivationOf<P>;
  using S = StatisticOf<P>;
  using Shape = AttentionShape<A, W>;
  using Tiles = AttentionBackwardTiles<P, W>;
  static constexpr int M = Shape::row_tiles, T = 2;  ///< 8 T queries at a time
  static constexpr char const* name = "attention_backward_key";
  static constexpr int threads = warp_size * Shape::warps;

  AttentionBackward<P> op;
  AttentionPlan<S> plan;

  static LaunchShape shape(AttentionBackward<P> const& op) {
    return {.blocks = tile_count(op.k.rows, op.key_offsets.size - 1, Shape::own_rows),
            .blocks_y = op.heads,
            .shared_bytes = Tiles::bytes};
  }

  template <class Thread>
  HONE_HOST_DEVICE void operator()(Thread const& thread) const {
    SequenceTile const tile = find_tile(op.key_offsets, Shape::own_rows, thread.block());
    if (tile.first >= tile.count) return;  // the whole block
    Index const head = thread.block_y();
    std::int32_t const query_begin = op.query_offsets[tile.sequence];
    int const queries = op.query_offsets[tile.sequence + 1] - query_begin, row = thread.warp() * Shape::warp_rows;
    auto const q = HeadRows<A const>::of(op.q, query_begin, queries, head, plan);
    auto const dy = HeadRows<A const>::of(op.dy, query_begin, queries, head, plan);
    load_tile<Shape::own_rows, W, threads>(thread, Tiles::own(thread, 0),
                                  HeadRows<A const>::of(op.k, tile.begin, tile.count, head, plan), tile.first);
    load_tile<Shape::own_rows, W, threads>(thread, Tiles::own(thread, 1),
                                  HeadRows<A const>::of(op.v, tile.begin, tile.count, head, plan), tile.first);
    Tiles::load(thread, q, dy, 0, 0);
    load_numbers(thread, query_begin, queries, 0, head, 0);
    Sums sums;
    bool const active = tile.first + row < tile.count;
    for (int first = 0, stage = 0; first < queries; first += Shape::stream_rows, stage ^= 1) {
      await_copies();
      thread.barrier();
      int const next = first + Shape::stream_rows;
      if (next < queries) {
        Tiles::load(thread, q, dy, next, stage ^ 1);
        load_numbers(thread, query_begin, queries, next, head, stage ^ 1);
      }
      for (int c = 0; active && c < Shape::stream_rows && first + c < queries; c += 8 * T)
        add_queries(thread, sums, row, tile, head, first, stage, c);
    }
    if (active) finish(thread, sums, row, tile, head);
  }

 private:
  struct Sums {
    S dk[M][W / 8][4] = {}, dv[M][W / 8][4] = {};
  };

  /// lse and delta of a tile of queries; no query: lse = infinity, so that its probabilities are 0.
  template <class Thread>
  HONE_HOST_DEVICE void load_numbers(Thread const& thread, Index begin, int queries, int first, Index head,
                                     int stage) const {
    auto const numbers = Tiles::numbers(thread);
    for (int i = thread.index(); i < Shape::stream_rows; i += thread.threads()) {
      bool const inside = first + i < queries;
      int const at = 2 * stage * Shape::stream_rows + i;
      numbers[at] = inside ? op.lse(begin + first + i, head) : S(HUGE_VAL);
      numbers[at + Shape::stream_rows] = inside ? op.delta(begin + first + i, head) : S(0);
    }
  }

  template <class Thread>
  HONE_HOST_DEVICE void add_queries(Thread const& thread, Sums& sums, int row, SequenceTile const& tile, Index head,
                                    int first_query, int stage, int c) const {
    S weights[M][T][4] = {}, slopes[M][T][4] = {};
    auto const queries = Tiles::stream(thread, stage, 0), dy = Tiles::stream(thread, stage, 1);
    add_row_products<A, W>(thread, weights, Tiles::own(thread, 0), row, queries, c);
    add_row_products<A, W>(thread, slopes, Tiles::own(thread, 1), row, dy, c);
    auto const numbers = Tiles::numbers(thread);
    bool const dropping = op.dropout.active();
    KeptKeys<8 * T, 2 * M> kept;
    if (dropping)
      kept = KeptKeys<8 * T, 2 * M>(
          thread.lane(), op.dropout, static_cast<std::uint32_t>(head * 8192 + (tile.first + row) / 8),
          static_cast<std::uint32_t>(first_query + c), static_cast<std::uint32_t>(op.first_example + tile.sequence));
    S const scale = plan.scale, factor = plan.kept;
    HONE_UNROLL
    for (int t = 0; t < T; ++t)
      HONE_UNROLL
      for (int j = 0; j < 2; ++j) {
        int const column = mma_column(thread, t, j), at = 2 * stage * Shape::stream_rows + c + column;
        S const lse = numbers[at], delta = numbers[at + Shape::stream_rows];
        typename KeptKeys<8 * T, 2 * M>::Query query;
        if (dropping) query = kept.of(thread, column, thread.lane() / 4);
        HONE_UNROLL
        for (int m = 0; m < M; ++m)
          HONE_UNROLL
          for (int half = 0; half < 2; ++half) {
            S &weight = weights[m][t][2 * half + j], &slope = slopes[m][t][2 * half + j];
            S const p = exponential(rounded_product(weight, scale) - lse);
            weight = p;
            if (dropping) {
              bool const keep = query.keeps(2 * m + half, 0);
              weight = keep ? p : S(0);
              slope = keep ? slope * factor : S(0);
            }
            slope = p * (slope - delta);
          }
      }
    add_weighted_rows<A, W>(thread, sums.dv, weights, dy, c);
    add_weighted_rows<A, W>(thread, sums.dk, slopes, queries, c);
  }

  template <class Thread>
  HONE_HOST_DEVICE void finish(Thread const& thread, Sums& sums, int row, SequenceTile const& tile, Index head) const {
    S const scale = plan.scale, kept = plan.kept;
    S of_keys[M][2], of_values[M][2];
    HONE_UNROLL
    for (int m = 0; m < M; ++m) {
      of_keys[m][0] = of_keys[m][1] = scale;
      of_values[m][0] = of_values[m][1] = kept;
    }
    store_tile<W>(thread, Tiles::own(thread, 0), row, sums.dk, of_keys,
                  HeadRows<A>::of(op.dk, tile.begin, tile.count, head, plan), tile.first + row);
    store_tile<W>(thread, Tiles::own(thread, 1), row, sums.dv, of_values,
                  HeadRows<A>::of(op.dv, tile.begin, tile.count, head, plan), tile.first + row);
  }
};

}  // namespace hone::detail
