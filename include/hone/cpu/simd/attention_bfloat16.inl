// Attention of `mixed` by dot products of pairs of bfloat16: as attention.inl, in blocks of up to 3 vectors of queries
// against all keys, with all products by pairs: of neighbouring columns for scores, of neighbouring keys for y and dq, of
// neighbouring queries for dk and dv. Probabilities and slopes are rounded to bfloat16 before they are multiplied; scores,
// sums and statistics are float. Where memory of float is said to hold pairs, a value's bits are two bfloat16.
namespace hone::detail::HONE_SIMD {

/// Columns that rows are padded to: a line of bfloat16.
inline constexpr Index line_columns = 32;

/// Rows as pairs of columns, [row][pairs], with zeros up to `height` rows of `pairs` pairs, whole lines.
HONE_TARGET inline void copy_pairs(MatrixView<bfloat16 const> rows, Index height, Index pairs, float* to) {
  for (Index r = 0; r < height; ++r)
    for (Index c = 0; c < 2 * pairs; c += line_columns, to += line_columns / 2) {
      Index const valid = r < rows.rows ? rows.cols - c : 0;
      Line const line = valid >= line_columns ? load_line(rows.row(r) + c)
                        : valid > 0           ? load_line(rows.row(r) + c, valid)
                                              : Line{};
      std::memcpy(to, &line, sizeof line);
    }
}
/// [row][pairs] becomes panels of 8 rows, [panel][pair][8].
HONE_TARGET inline void panels_of_pairs(float const* rows, Index height, Index pairs, float* to) {
  constexpr int panel = TileShape::rows;
  static_assert(panel == 8);
  for (Index r = 0; r < height; r += panel, rows += panel * pairs)
    for (Index c = 0; c < pairs; c += lanes<float>, to += panel * lanes<float>)
      transpose_tile<float, panel>(rows + c, pairs, to);
}
/// [row][pairs] becomes [pair][height].
HONE_TARGET inline void columns_of_pairs(float const* rows, Index height, Index pairs, float* to) {
  constexpr int side = lanes<float>;
  for (Index r = 0; r < height; r += side)
    for (Index c = 0; c < pairs; c += side) {
      Vec<float> v[side];
      HONE_UNROLL for (int i = 0; i < side; ++i) v[i] = load(rows + (r + i) * pairs + c);
      transpose_vectors<float, side>(v);
      HONE_UNROLL for (int i = 0; i < side; ++i) store(to + (c + i) * height + r, v[i]);
    }
}
/// Pairs of columns, [row][pairs], become pairs of rows, [row / 2][2 * pairs]. `height` is even.
HONE_TARGET inline void pairs_of_rows(float const* rows, Index height, Index pairs, float* to) {
  for (Index r = 0; r < height; r += 2, rows += 2 * pairs)
    for (Index c = 0; c < pairs; c += lanes<float>, to += 2 * lanes<float>) {
      Line first, second, low, high;
      std::memcpy(&first, rows + c, sizeof first);
      std::memcpy(&second, rows + pairs + c, sizeof second);
      interleave_lines(first, second, low, high);
      std::memcpy(to, &low, sizeof low);
      std::memcpy(to + lanes<float>, &high, sizeof high);
    }
}
/// 16 values of one row and 16 of the next become 16 pairs.
HONE_SIMD_INLINE inline Line pairs_of_halves(Line halves) {
  return __builtin_shufflevector(halves, halves, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10,
                                 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/// One head of one sequence at a time. A sequence's result has the same bits whatever else is in the batch, and for any
/// number of threads.
template <>
struct Kernel<AttentionForward<mixed>> {
  using V = Vec<float>;
  using Item = AttentionItem<float>;

  HONE_TARGET static void run(HostContext& context, AttentionForward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      AttentionHead<float> const at(op, b, h);
      head(at.item, last, at.queries(op.q), at.keys(op.k), at.keys(op.v), at.queries(op.y), at.statistic(op.lse));
    });
  }

 private:
  using In = MatrixView<bfloat16 const>;
  using Out = MatrixView<bfloat16>;
  struct Memory {                   // of one thread
    float *key_panels, *values;     // pairs of columns, pairs of keys
    float *scores, *probabilities;  // [key][query], pairs of keys
    float *rows, *columns, *tile;   // of the block's queries
  };

  HONE_TARGET static void head(Item const& item, bool last, In q, In k, In v, Out y, MatrixView<float> lse) {
    constexpr Index block = 3 * lanes<float>;
    Index const keys = item.padded_keys(), width = round_up(item.width, line_columns), pairs = width / 2;
    Index const rows = std::max(keys, block);
    Pieces<float> pieces(scratch<float>(Scratch::attention, 2 * keys * pairs + rows * pairs + keys * (block + block / 2) +
                                                                (pairs + width) * block));
    Memory memory;
    memory.key_panels = pieces.take(keys * pairs);
    memory.values = pieces.take(keys * pairs);
    memory.rows = pieces.take(rows * pairs);
    memory.scores = pieces.take(keys * block);
    memory.probabilities = pieces.take(keys / 2 * block);
    memory.columns = pieces.take(pairs * block);
    memory.tile = pieces.take(width * block);
    copy_pairs(k, keys, pairs, memory.rows);
    panels_of_pairs(memory.rows, keys, pairs, memory.key_panels);
    copy_pairs(v, keys, pairs, memory.rows);
    pairs_of_rows(memory.rows, keys, pairs, memory.values);
    for_query_blocks<float>(item.queries, [&](Index first, auto vectors) HONE_TARGET {
      Index const count = std::min<Index>(item.queries - first, vectors * lanes<float>), next = first + count;
      // The next block of queries, or the next head's first; of its keys and values an equal part with each block.
      RowsAhead<bfloat16> ahead(item.width, block, keys / key_group);
      if (next < item.queries) ahead.add(q, next), ahead.add(y, next);
      else if (!last) ahead.add(q, 0, item.width), ahead.add(y, 0, item.width);
      if (!last) ahead.add(k, first, item.width), ahead.add(v, first, item.width);
      query_block<vectors>(item, first, q.row_block(first, count), memory, y.row_block(first, count),
                           lse.row_block(first, count), ahead);
    });
  }

  template <int vectors>
  HONE_TARGET static void query_block(Item const& item, Index first, In q, Memory const& memory, Out y,
                                      MatrixView<float> lse, RowsAhead<bfloat16>& ahead) {
    constexpr int L = lanes<float>, block = vectors * L;
    Index const width = round_up(item.width, line_columns), pairs = width / 2;
    copy_pairs(q, block, pairs, memory.rows);
    columns_of_pairs(memory.rows, block, pairs, memory.columns);
    V highest[vectors], total[vectors] = {};
    for (V& h : highest) h = splat(-std::numeric_limits<float>::infinity());
    for (Index j = 0; j < item.keys; j += key_group) {
      ahead.some();
      score_group<float, vectors, DotProducts>(pairs, memory.key_panels + j * pairs, memory.columns,
                                               memory.scores + j * block);
      for (Index i = j; i < std::min(j + key_group, item.keys); ++i)
        HONE_UNROLL for (int v = 0; v < vectors; ++v) highest[v] =
            maximum<float>(highest[v], load(memory.scores + i * block + v * L) * item.scale);
    }
    for (Index j = 0; j < item.keys; j += key_group) {
      alignas(64) std::uint32_t words[4][round_up(block, word_lanes)];
      if (item.dropout.active()) attention_words<float, vectors>(item, first, j, words);
      for (int i = 0; i < key_group && j + i < item.keys; i += 2) HONE_UNROLL for (int v = 0; v < vectors; ++v) {
          V p[2] = {};
          HONE_UNROLL for (int half = 0; half < 2; ++half) {
            if (j + i + half >= item.keys) break;
            V const score = load(memory.scores + (j + i + half) * block + v * L) * item.scale;
            p[half] = vector_exp<float, true>(score - highest[v]);
            total[v] += p[half];
            if (item.dropout.active())
              p[half] = keep_lanes<float>(p[half], &words[i / 2][v * L], half, item.dropout.threshold);
          }
          Line const line = pairs_of_halves(narrow_both(p[0], p[1]));
          std::memcpy(memory.probabilities + (j + i) / 2 * block + v * L, &line, sizeof line);
        }
    }
    V factor[vectors];
    for (int v = 0; v < vectors; ++v) factor[v] = static_cast<float>(item.dropout.scale()) / total[v];
    weighted_rows<float, vectors, DotProducts>((item.keys + 1) / 2, memory.values, width, memory.probabilities, factor,
                                               memory.tile, y);
    for (Index r = 0; r < q.rows; ++r) lse(r, 0) = highest[r / L][r % L] + std::log(total[r / L][r % L]);
  }
};

/// Probabilities and masks are computed again; the gradients of keys and values are summed over blocks of queries in order.
template <>
struct Kernel<AttentionBackward<mixed>> {
  using V = Vec<float>;
  using Item = AttentionItem<float>;

  HONE_TARGET static void run(HostContext& context, AttentionBackward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      AttentionHead<float> const at(op, b, h);
      Queries const data{at.queries(op.q),     at.queries(op.y),       at.queries(op.dy),
                         at.statistic(op.lse), at.statistic(op.delta), at.queries(op.dq)};
      head(at.item, last, data, at.keys(op.k), at.keys(op.v), at.keys(op.dk), at.keys(op.dv));
    });
  }

 private:
  using In = MatrixView<bfloat16 const>;
  using Out = MatrixView<bfloat16>;
  struct Queries {  // what belongs to the queries of an item, or of a block of it
    In q, y, dy;
    MatrixView<float const> lse;
    MatrixView<float> delta;
    Out dq;
    Queries block(Index first, Index count) const {
      return {q.row_block(first, count),   y.row_block(first, count),     dy.row_block(first, count),
              lse.row_block(first, count), delta.row_block(first, count), dq.row_block(first, count)};
    }
  };
  struct Memory {                             // of one thread
    float *key_panels, *value_panels, *keys;  // pairs of columns, of columns, of keys
    float *key_sums, *value_sums;             // dk and dv so far, without their factors
    float *scores, *slopes;                   // of a group of keys, [key][query]
    float *p_rows, *slope_rows;               // the same rounded: pairs of queries
    float* slope_pairs;                       // of all keys: pairs of keys
    float *rows, *q_columns, *dy_columns;     // of the block: pairs of columns
    float *q_pairs, *dy_pairs, *tile;         // pairs of queries
  };

  HONE_TARGET static void head(Item const& item, bool last, Queries const& data, In k, In v, Out dk, Out dv) {
    constexpr Index block = 3 * lanes<float>;
    Index const keys = item.padded_keys(), width = round_up(item.width, line_columns), pairs = width / 2;
    Index const rows = std::max(keys, block);
    Pieces<float> pieces(scratch<float>(Scratch::attention,
                                        keys * (3 * pairs + 2 * width + block / 2) + rows * pairs +
                                            3 * key_group * block + (4 * pairs + width) * block));
    Memory memory;
    for (float** piece : {&memory.key_panels, &memory.value_panels, &memory.keys}) *piece = pieces.take(keys * pairs);
    for (float** piece : {&memory.key_sums, &memory.value_sums}) *piece = pieces.take(keys * width);
    for (float** piece : {&memory.scores, &memory.slopes}) *piece = pieces.take(key_group * block);
    for (float** piece : {&memory.p_rows, &memory.slope_rows}) *piece = pieces.take(key_group * block / 2);
    memory.slope_pairs = pieces.take(keys / 2 * block);
    memory.rows = pieces.take(rows * pairs);
    for (float** piece : {&memory.q_columns, &memory.dy_columns, &memory.q_pairs, &memory.dy_pairs})
      *piece = pieces.take(pairs * block);
    memory.tile = pieces.take(width * block);
    copy_pairs(v, keys, pairs, memory.rows);
    panels_of_pairs(memory.rows, keys, pairs, memory.value_panels);
    copy_pairs(k, keys, pairs, memory.rows);
    panels_of_pairs(memory.rows, keys, pairs, memory.key_panels);
    pairs_of_rows(memory.rows, keys, pairs, memory.keys);
    std::fill(memory.key_sums, memory.key_sums + keys * width, 0.0f);
    std::fill(memory.value_sums, memory.value_sums + keys * width, 0.0f);
    for_query_blocks<float>(item.queries, [&](Index first, auto vectors) HONE_TARGET {
      Index const count = std::min<Index>(item.queries - first, vectors * lanes<float>), next = first + count;
      // As in forward; what is written at the end of a head, in its last block.
      RowsAhead<bfloat16> ahead(item.width, block, keys / key_group);
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
    V const of_keys = splat(item.scale), of_values = splat(static_cast<float>(item.dropout.scale()));
    for (Index r = 0; r < item.keys; ++r)
      for_vectors<float>(item.width, [&](Index c, auto part) HONE_SIMD_INLINE {
        store(dk.row(r) + c, load(memory.key_sums + r * width + c) * of_keys, part);
        store(dv.row(r) + c, load(memory.value_sums + r * width + c) * of_values, part);
      });
  }

  template <int vectors>
  HONE_TARGET static void query_block(Item const& item, Index first, Queries const& data, Memory const& memory,
                                      RowsAhead<bfloat16>& ahead) {
    constexpr int L = lanes<float>, block = vectors * L;
    Index const count = data.q.rows, width = round_up(item.width, line_columns), pairs = width / 2;
    copy_pairs(data.q, block, pairs, memory.rows);
    columns_of_pairs(memory.rows, block, pairs, memory.q_columns);
    pairs_of_rows(memory.rows, block, pairs, memory.q_pairs);
    copy_pairs(data.dy, block, pairs, memory.rows);
    columns_of_pairs(memory.rows, block, pairs, memory.dy_columns);
    pairs_of_rows(memory.rows, block, pairs, memory.dy_pairs);
    alignas(64) float lse[block], delta[block];
    for (Index r = 0; r < block; ++r) {
      lse[r] = std::numeric_limits<float>::infinity();  // lanes with no query: probability 0
      delta[r] = 0;
      if (r >= count) continue;
      V sum{};
      for_vectors<float>(item.width, [&](Index c, auto part) HONE_SIMD_INLINE {
        sum += load(data.dy.row(r) + c, part) * load(data.y.row(r) + c, part);
      });
      lse[r] = data.lse(r, 0);
      data.delta(r, 0) = delta[r] = hone::detail::HONE_SIMD::sum<float>(sum);
    }
    auto const kept = static_cast<float>(item.dropout.scale());
    for (Index j = 0; j < item.keys; j += key_group) {
      ahead.some();
      score_group<float, vectors, DotProducts>(pairs, memory.key_panels + j * pairs, memory.q_columns, memory.scores);
      score_group<float, vectors, DotProducts>(pairs, memory.value_panels + j * pairs, memory.dy_columns, memory.slopes);
      alignas(64) std::uint32_t words[4][round_up(block, word_lanes)];
      if (item.dropout.active()) attention_words<float, vectors>(item, first, j, words);
      HONE_UNROLL for (int v = 0; v < vectors; ++v) {
        V const block_lse = load(lse + v * L), block_delta = load(delta + v * L);
        for (int i = 0; i < key_group; i += 2) {
          V p[2] = {}, slope[2] = {};
          HONE_UNROLL for (int half = 0; half < 2; ++half) {
            if (j + i + half >= item.keys) break;
            Index const at = (i + half) * block + v * L;
            p[half] = vector_exp<float, true>(load(memory.scores + at) * item.scale - block_lse);
            V dp = load(memory.slopes + at), masked = p[half];
            if (item.dropout.active()) {
              std::uint32_t const* const lane_words = &words[i / 2][v * L];
              masked = keep_lanes<float>(masked, lane_words, half, item.dropout.threshold);
              dp = keep_lanes<float>(dp * kept, lane_words, half, item.dropout.threshold);
            }
            slope[half] = p[half] * (dp - block_delta);
            p[half] = masked;
          }
          Line const kept_p = narrow_both(p[0], p[1]), slopes = narrow_both(slope[0], slope[1]);
          store_halves(kept_p, memory.p_rows + (i * block + v * L) / 2, block / 2);
          store_halves(slopes, memory.slope_rows + (i * block + v * L) / 2, block / 2);
          Line const of_keys = pairs_of_halves(slopes);
          std::memcpy(memory.slope_pairs + (j + i) / 2 * block + v * L, &of_keys, sizeof of_keys);
        }
      }
      Index const steps = (count + 1) / 2;
      add_weighted_queries<float, vectors, DotProducts>(steps, memory.p_rows, memory.dy_pairs, width,
                                                        memory.value_sums + j * width);
      add_weighted_queries<float, vectors, DotProducts>(steps, memory.slope_rows, memory.q_pairs, width,
                                                        memory.key_sums + j * width);
    }
    V factor[vectors];
    for (V& f : factor) f = splat(item.scale);
    weighted_rows<float, vectors, DotProducts>((item.keys + 1) / 2, memory.keys, width, memory.slope_pairs, factor,
                                               memory.tile, data.dq);
  }

  /// 16 values of one row to `to`, 16 of the next `step` pairs further.
  HONE_SIMD_INLINE static void store_halves(Line halves, float* to, Index step) {
    std::memcpy(to, &halves, sizeof halves / 2);
    std::memcpy(to + step, reinterpret_cast<char const*>(&halves) + sizeof halves / 2, sizeof halves / 2);
  }
};

}  // namespace hone::detail::HONE_SIMD
