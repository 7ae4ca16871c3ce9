namespace hone::detail::HONE_SIMD {

/// One head of one sequence at a time, 3 vectors of queries against all its keys: the scores of a block stay in the cache.
///
/// A sequence's result has the same bits whatever else is in the batch, and for any number of threads.
template <class P>
struct Kernel<AttentionForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  using V = Vec<T>;
  using Item = AttentionItem<T>;

  HONE_TARGET static void run(HostContext& context, AttentionForward<P> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      AttentionHead<T> const at(op, b, h);
      head(at.item, last, at.queries(op.q), at.keys(op.k), at.keys(op.v), at.queries(op.y), at.statistic(op.lse));
    });
  }

 private:
  using In = MatrixView<A const>;
  using Out = MatrixView<A>;
  using Statistic = MatrixView<T>;

  HONE_TARGET static void head(Item const& item, bool last, In q, In k, In v, Out y, Statistic lse) {
    constexpr Index block = 3 * lanes<T>;
    Index const keys = item.padded_keys(), width = item.padded_width();
    Pieces<T> pieces(
        scratch<T>(Scratch::attention, keys * (2 * width + block) + 2 * width * block + 64));
    T *const key_panels = pieces.take(keys * width), *const values = pieces.take(keys * width);
    T *const scores = pieces.take(keys * block), *const columns = pieces.take(width * block);
    T* const tile = pieces.take(width * block);
    pack_rows(k, keys, key_panels);
    copy_rows(v, T(1), item.keys, width, values);
    for_query_blocks<T>(item.queries, [&](Index first, auto vectors) HONE_TARGET {
      Index const count = std::min<Index>(item.queries - first, vectors * lanes<T>);
      // The next block of queries, or the next head's first; of its keys and values an equal part with each block.
      RowsAhead<A> ahead(item.width, block, keys / key_group);
      Index const next = first + count;
      if (next < item.queries) ahead.add(q, next), ahead.add(y, next);
      else if (!last) ahead.add(q, 0, item.width), ahead.add(y, 0, item.width);
      if (!last) ahead.add(k, first, item.width), ahead.add(v, first, item.width);
      query_block<vectors>(item, first, q.row_block(first, count), key_panels, values, columns, scores, tile,
                           y.row_block(first, count), lse.row_block(first, count), ahead);
    });
  }

  template <int vectors>
  HONE_TARGET static void query_block(Item const& item, Index first, In q, T const* key_panels, T const* values, T* columns,
                                      T* scores, T* tile, Out y, Statistic lse, RowsAhead<A>& ahead) {
    constexpr int L = lanes<T>, block = vectors * L;
    transpose_rows(q, item.scale, block, columns);
    V highest[vectors], total[vectors] = {};
    for (V& h : highest) h = splat(-std::numeric_limits<T>::infinity());
    for (Index j = 0; j < item.keys; j += key_group) {
      ahead.some();
      score_group<T, vectors>(item.width, key_panels + j * item.width, columns, scores + j * block);
      for (Index i = j; i < std::min(j + key_group, item.keys); ++i)
        HONE_UNROLL for (int v = 0; v < vectors; ++v) highest[v] =
            maximum<T>(highest[v], load(scores + i * block + v * L));
    }
    for (Index j = 0; j < item.keys; j += key_group) {
      alignas(64) std::uint32_t words[4][round_up(block, word_lanes)];
      if (item.dropout.active()) attention_words<T, vectors>(item, first, j, words);
      for (int i = 0; i < key_group && j + i < item.keys; ++i) HONE_UNROLL for (int v = 0; v < vectors; ++v) {
          T* const place = scores + (j + i) * block + v * L;
          V p = vector_exp<T, true>(load(place) - highest[v]);
          total[v] += p;
          if (item.dropout.active()) p = keep_lanes<T>(p, &words[i / 2][v * L], i, item.dropout.threshold);
          store(place, p);
        }
    }
    V factor[vectors];
    for (int v = 0; v < vectors; ++v) factor[v] = static_cast<T>(item.dropout.scale()) / total[v];
    weighted_rows<T, vectors>(item.keys, values, item.padded_width(), scores, factor, tile, y);
    for (Index r = 0; r < q.rows; ++r) lse(r, 0) = highest[r / L][r % L] + std::log(total[r / L][r % L]);
  }
};

/// Probabilities and masks are computed again; the gradients of keys and values are summed over blocks of queries in order.
template <class P>
struct Kernel<AttentionBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  using V = Vec<T>;
  using Item = AttentionItem<T>;

  HONE_TARGET static void run(HostContext& context, AttentionBackward<P> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      AttentionHead<T> const at(op, b, h);
      Queries const data{at.queries(op.q),     at.queries(op.y),       at.queries(op.dy),
                         at.statistic(op.lse), at.statistic(op.delta), at.queries(op.dq)};
      head(at.item, last, data, at.keys(op.k), at.keys(op.v), at.keys(op.dk), at.keys(op.dv));
    });
  }

 private:
  using In = MatrixView<A const>;
  using Out = MatrixView<A>;
  struct Queries {  // what belongs to the queries of an item, or of a block of it
    In q, y, dy;
    MatrixView<T const> lse;
    MatrixView<T> delta;
    Out dq;
    Queries block(Index first, Index count) const {
      return {q.row_block(first, count),   y.row_block(first, count),     dy.row_block(first, count),
              lse.row_block(first, count), delta.row_block(first, count), dq.row_block(first, count)};
    }
  };
  struct Memory {                                         // of one thread
    T *key_panels, *value_panels, *keys;                  // k and v of the item, in the order in which products read them
    T *key_sums, *value_sums;                             // dk and dv so far
    T *scores, *slopes;                                   // of a group of keys, of all, by [key][query]
    T *q_columns, *dy_columns, *q_rows, *dy_rows, *tile;  // of the block
  };

  HONE_TARGET static void head(Item const& item, bool last, Queries const& data, In k, In v, Out dk, Out dv) {
    constexpr Index block = 3 * lanes<T>;
    Index const keys = item.padded_keys(), width = item.padded_width();
    Pieces<T> pieces(
        scratch<T>(Scratch::attention, keys * (5 * width + block) + (5 * width + key_group) * block + 256));
    Memory memory;
    for (T** piece : {&memory.key_panels, &memory.value_panels, &memory.keys, &memory.key_sums, &memory.value_sums})
      *piece = pieces.take(keys * width);
    memory.scores = pieces.take(key_group * block);
    memory.slopes = pieces.take(keys * block);
    for (T** piece : {&memory.q_columns, &memory.dy_columns, &memory.q_rows, &memory.dy_rows, &memory.tile})
      *piece = pieces.take(width * block);
    pack_rows(k, keys, memory.key_panels);
    pack_rows(v, keys, memory.value_panels);
    copy_rows(k, T(1), item.keys, width, memory.keys);
    std::fill(memory.key_sums, memory.key_sums + keys * width, T(0));
    std::fill(memory.value_sums, memory.value_sums + keys * width, T(0));
    for_query_blocks<T>(item.queries, [&](Index first, auto vectors) HONE_TARGET {
      Index const count = std::min<Index>(item.queries - first, vectors * lanes<T>);
      // As in forward; what is written at the end of a head, in its last block.
      RowsAhead<A> ahead(item.width, block, keys / key_group);
      Index const next = first + count;
      In const of_queries[] = {data.q, data.y, data.dy, In(data.dq)};
      for (In const& m : of_queries) {
        if (next < item.queries)
          ahead.add(m, next);
        else if (!last)
          ahead.add(m, 0, item.width);
      }
      if (!last) ahead.add(k, first, item.width), ahead.add(v, first, item.width);
      ahead.add(dk, first), ahead.add(dv, first);
      query_block<vectors>(item, first, data.block(first, count), memory, ahead);
    });
    for (Index r = 0; r < item.keys; ++r)
      for_vectors<T>(item.width, [&](Index c, auto part) HONE_SIMD_INLINE {
        store(dk.row(r) + c, load(memory.key_sums + r * width + c), part);
        store(dv.row(r) + c, load(memory.value_sums + r * width + c), part);
      });
  }

  template <int vectors>
  HONE_TARGET static void query_block(Item const& item, Index first, Queries const& data, Memory const& memory,
                                      RowsAhead<A>& ahead) {
    constexpr int L = lanes<T>, block = vectors * L;
    Index const count = data.q.rows, width = item.padded_width();
    transpose_rows(data.q, item.scale, block, memory.q_columns);
    T const kept = static_cast<T>(item.dropout.scale());
    transpose_rows(data.dy, kept, block, memory.dy_columns);
    copy_rows(data.q, item.scale, count, width, memory.q_rows);
    copy_rows(data.dy, kept, count, width, memory.dy_rows);
    alignas(64) T lse[block], delta[block];
    for (Index r = 0; r < block; ++r) {
      lse[r] = std::numeric_limits<T>::infinity();  // lanes with no query: probability 0
      delta[r] = T(0);
      if (r >= count) continue;
      V sum{};
      for_vectors<T>(item.width, [&](Index c, auto part) HONE_SIMD_INLINE {
        sum += load(data.dy.row(r) + c, part) * load(data.y.row(r) + c, part);
      });
      lse[r] = data.lse(r, 0);
      data.delta(r, 0) = delta[r] = hone::detail::HONE_SIMD::sum<T>(sum);
    }
    for (Index j = 0; j < item.keys; j += key_group) {
      T *const scores = memory.scores, *const slopes = memory.slopes + j * block;
      ahead.some();
      score_group<T, vectors>(item.width, memory.key_panels + j * item.width, memory.q_columns, scores);
      score_group<T, vectors>(item.width, memory.value_panels + j * item.width, memory.dy_columns, slopes);
      alignas(64) std::uint32_t words[4][round_up(block, word_lanes)];
      if (item.dropout.active()) attention_words<T, vectors>(item, first, j, words);
      HONE_UNROLL for (int v = 0; v < vectors; ++v) {
        V const block_lse = load(lse + v * L), block_delta = load(delta + v * L);
        for (int i = 0; i < key_group; ++i) {
          T *const score = scores + i * block + v * L, *const slope = slopes + i * block + v * L;
          V const p = vector_exp<T, true>(load(score) - block_lse);
          V masked = p, dp = load(slope);
          if (item.dropout.active()) {
            std::uint32_t const* const lane_words = &words[i / 2][v * L];
            masked = keep_lanes<T>(p, lane_words, i, item.dropout.threshold);
            dp = keep_lanes<T>(dp, lane_words, i, item.dropout.threshold);
          }
          store(slope, p * (dp - block_delta));  // dS
          store(score, masked);                  // P where it is kept
        }
      }
      add_weighted_queries<T, vectors>(count, scores, memory.dy_rows, width, memory.value_sums + j * width);
      add_weighted_queries<T, vectors>(count, slopes, memory.q_rows, width, memory.key_sums + j * width);
    }
    V factor[vectors];
    for (V& f : factor) f = splat(item.scale);
    weighted_rows<T, vectors>(item.keys, memory.keys, width, memory.slopes, factor, memory.tile, data.dq);
  }
};

}  // namespace hone::detail::HONE_SIMD
