namespace hone::detail::HONE_SIMD {

/// One head of one sequence at a time: blocks of queries against blocks of keys. For each 32 x 32 of them scores and
/// probabilities are computed again, and what the products read is left in bfloat16. Tiles work on the scores of the next
/// square while the vector units are at this one's probabilities.
///
/// The sums of dk and dv stay in float until the last query. Dropout's factor 1 / (1 - p_drop) is taken out of all products
/// and put on at the end: with it left out of dP, delta is divided by it. Memory of a thread: (14 E) bytes for each key of
/// the longest sequence, and a constant.
template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<AttentionBackward<P>> {
  HONE_TARGET static void run(HostContext& context, AttentionBackward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      TileItem const item = tile_item(op, b, h);
      Index const column = h * item.width, first_query = op.query_offsets[b], first_key = op.key_offsets[b];
      auto const queries = [&](auto const& m) HONE_TARGET {
        return m.row_block(first_query, item.queries).column_block(column, item.width);
      };
      auto const keys = [&](auto const& m)
                            HONE_TARGET { return m.row_block(first_key, item.keys).column_block(column, item.width); };
      auto const statistic = [&](auto const& m)
                                 HONE_TARGET { return m.row_block(first_query, item.queries).column_block(h, 1); };
      Queries const data{queries(op.q),     queries(op.y),       queries(op.dy),
                         statistic(op.lse), statistic(op.delta), queries(op.dq)};
      head(item, data, keys(op.k), keys(op.v), keys(op.dk), keys(op.dv), !last);
    });
  }

 private:
  static constexpr Index square = tile_step * tile_step;

  struct Queries {  // what belongs to the queries of an item, or of a block of it
    Halves q, y, dy;
    MatrixView<float const> lse;
    MatrixView<float> delta;
    MatrixView<bfloat16> dq;
    HONE_TARGET Queries block(Index first, Index count) const {
      return {q.row_block(first, count),   y.row_block(first, count),     dy.row_block(first, count),
              lse.row_block(first, count), delta.row_block(first, count), dq.row_block(first, count)};
    }
  };
  struct Memory {
    bfloat16 *keys, *values, *key_columns;                  // of the item: rows of K and V, K transposed
    float *key_sums, *value_sums;                           // dk and dv so far
    bfloat16 *q_columns, *dy_columns, *q_pairs, *dy_pairs;  // of the block of queries
    bfloat16 *weights, *slopes, *slope_pairs;               // of the block: M P, dS by [key][query], dS in pairs
    float *scores, *value_scores, *query_sums;              // of two squares; dq of the block, transposed
    float *lse, *delta;                                     // of the block
    MaskWords* masks;                                       // of the block
    MaskWords::Keys* mask_keys;
  };

  HONE_TARGET static void head(TileItem const& item, Queries const& data, Halves k, Halves v, MatrixView<bfloat16> dk,
                               MatrixView<bfloat16> dv, bool another) {
    Index const keys = item.padded_keys(), slices = item.slices, row = 32 * slices;
    Index const query_block = attention_queries(slices);
    ScratchPieces pieces{scratch<float>(Scratch::attention, attention_backward_floats(keys, slices))};
    Memory memory;
    for (float** scores : {&memory.scores, &memory.value_scores}) *scores = pieces.take(2 * square);
    memory.lse = pieces.take(query_block);
    memory.delta = pieces.take(query_block);
    for (bfloat16** piece : {&memory.q_columns, &memory.dy_columns, &memory.q_pairs, &memory.dy_pairs})
      *piece = pieces.take_halves(query_block * row);
    memory.query_sums = pieces.take(query_block * row);
    for (bfloat16** piece : {&memory.weights, &memory.slopes, &memory.slope_pairs})
      *piece = pieces.take_halves(query_block * attention_keys(slices));
    for (bfloat16** piece : {&memory.keys, &memory.values, &memory.key_columns}) *piece = pieces.take_halves(keys * row);
    memory.key_sums = pieces.take(keys * row);
    memory.value_sums = pieces.take(keys * row);
    MaskWords masks[attention_queries(2) / 16];  // for the most queries
    MaskWords::Keys mask_keys;
    if (item.dropout.active()) MaskWords::prepare(item.dropout, static_cast<std::uint32_t>(item.example), mask_keys);
    memory.masks = masks;
    memory.mask_keys = &mask_keys;

    TileRegion const region;
    pack_tile_rows(k, keys, slices, memory.keys);
    pack_tile_rows(v, keys, slices, memory.values);
    pack_tile_transposed(k, keys, slices, memory.key_columns);
    for (Index first = 0; first < item.queries; first += query_block) {
      Index const count = std::min(item.queries - first, query_block);
      RowsAhead ahead;
      ahead.add(data.dq, first, query_block);
      ahead.add(dk, first, query_block);
      ahead.add(dv, first, query_block);
      if (another)  // the next head's columns follow
        for (Halves const& m : {k, v, data.q, data.y, data.dy})
          ahead.add(m.column_block(item.width, item.width), first, query_block);
      ahead.share_out(16 * (keys / tile_step) * ((count + tile_step - 1) / tile_step));
      block(item, first, data.block(first, count), memory, ahead);
    }
    float const kept = static_cast<float>(item.dropout.scale());
    store_sums(memory.key_sums, slices, static_cast<float>(item.scale * item.dropout.scale()), dk);
    store_sums(memory.value_sums, slices, kept, dv);
  }

  HONE_TARGET static void block(TileItem const& item, Index first, Queries const& data, Memory const& memory,
                                RowsAhead& ahead) {
    Index const slices = item.slices, count = data.q.rows;
    Index const queries = round_up(count, tile_step), steps = queries / tile_step;
    pack_tile_columns(data.q, queries, slices, item.scale < 0 ? 0x8000 : 0, memory.q_columns);
    pack_tile_columns(data.dy, queries, slices, 0, memory.dy_columns);
    pack_tile_pairs(data.q, queries, slices, memory.q_pairs);
    pack_tile_pairs(data.dy, queries, slices, memory.dy_pairs);
    statistics(item, data, memory);
    if (item.dropout.active())
      for (Index v = 0; v < 2 * steps; ++v)
        memory.masks[v].queries(*memory.mask_keys, static_cast<std::uint32_t>(first + 16 * v));
    Index const key_block = attention_keys(slices);
    NextScores(slices, 0, 0, 0, memory).all(slices);
    hide_beyond<2>(item, 0, memory.scores);
    Index squares = 0;
    for (Index from = 0; from < item.padded_keys(); from += key_block) {
      Index const key_steps = std::min(item.padded_keys() - from, key_block) / tile_step;
      for (Index i = 0; i < key_steps; ++i)
        for (Index j = 0; j < steps; ++j, ++squares)
          slopes(item, {from / tile_step, steps, i, j, squares % 2}, memory, ahead);
      products(item, from / tile_step, key_steps, steps, first > 0, memory);
    }
    Vec<float> const factor = splat(static_cast<float>(item.scale * item.dropout.scale()));
    for (Index j = 0; j < steps; ++j)
      for (Index high = 0; high < 2; ++high)
        store_transposed<true>(memory.query_sums + (4 * j * slices + high) * tile_floats, 2 * tile_floats, slices, factor,
                               j * tile_step + 4 * high, data.dq);
  }

  struct Block {
    Index first_step, query_steps;  // steps of 32
    Index i, j;                     // the square's steps, of keys and of queries
    Index parity;                   // of how many squares came before: where its scores are
  };

  /// lse in powers of two, and delta without dropout's factor; where no query is, its probabilities become zero.
  HONE_TARGET static void statistics(TileItem const& item, Queries const& data, Memory const& memory) {
    float const kept = static_cast<float>(1 / item.dropout.scale());
    for (Index first = 0; first < round_up(data.q.rows, tile_step); first += 16) {
      Vec<float> sums[16];
      HONE_UNROLL for (Index r = 0; r < 16; ++r) sums[r] = Vec<float>{};
      if (first < data.q.rows)
        for (Index s = 0; s < item.slices; ++s) HONE_UNROLL for (Index r = 0; r < 16; ++r) {
            Words const y = reinterpret_cast<Words>(slice_of(data.y, first + r, s));
            Words const dy = reinterpret_cast<Words>(slice_of(data.dy, first + r, s));
            sums[r] = fused(reinterpret_cast<Vec<float>>(dy << 16), reinterpret_cast<Vec<float>>(y << 16), sums[r]);
            sums[r] = fused(reinterpret_cast<Vec<float>>(dy & 0xFFFF0000u), reinterpret_cast<Vec<float>>(y & 0xFFFF0000u),
                            sums[r]);
          }
      transpose_vectors<float, 16>(sums);
      HONE_UNROLL for (int half = 8; half > 0; half /= 2) HONE_UNROLL for (int r = 0; r < half; ++r) sums[r] +=
          sums[r + half];
      store<float>(memory.delta + first, sums[0]);
      for (Index r = first; r < first + 16; ++r) {
        if (r < data.q.rows) data.delta(r, 0) = memory.delta[r];
        memory.lse[r] = r < data.q.rows ? data.lse(r, 0) * 1.44269504f : -no_score;
      }
      store<float>(memory.delta + first, sums[0] * kept);
    }
  }

  /// What the tiles do beside a square, an operation at a time: in its first half the scores of the next, in its second
  /// dy's products with values there.
  struct NextScores {
    bfloat16 const *keys[2], *queries[2];  // the second: values and dy
    float* scores[2];

    HONE_SIMD_INLINE NextScores(Index slices, Index i, Index j, Index parity, Memory const& memory)
        : keys{memory.keys + i * 2 * slices * tile_halves, memory.values + i * 2 * slices * tile_halves},
          queries{memory.q_columns + j * 2 * slices * tile_halves, memory.dy_columns + j * 2 * slices * tile_halves},
          scores{memory.scores + parity * square, memory.value_scores + parity * square} {}

    HONE_SIMD_INLINE void all(Index slices) const {
      for (int half = 0; half < 2; ++half) tile_scores<2>(slices, keys[half], queries[half], scores[half]);
    }
  };
  /// What a block of keys adds to dv, dk and dq.
  HONE_TARGET static void products(TileItem const& item, Index first, Index key_steps, Index steps, bool add,
                                   Memory const& memory) {
    Index const slices = item.slices, row_tiles = 2 * slices, of_keys = 2 * key_steps * slices;
    // The sums, one after the other: dv and dk of each 32 keys and slice, then dq of each 32 queries and slice.
    auto const sums = [&](Index i) HONE_TARGET -> TileSums {
      if (i >= of_keys) return {memory.query_sums + (i - of_keys) * 4 * tile_floats, 2 * tile_floats, first > 0};
      Index const place = (2 * (first + i / 2 / slices) * row_tiles + 2 * (i / 2 % slices)) * tile_floats;
      return {(i % 2 == 0 ? memory.value_sums : memory.key_sums) + place, row_tiles * tile_floats, add};
    };
    TileSums now = sums(0);
    begin_sums<2>(now);
    auto const go_on = [&](Index i) HONE_TARGET {
      TileSums const next = sums(i);
      end_and_begin_sums<2>(now, next);
      now = next;
    };
    for (Index i = 0; i < key_steps * slices; ++i) {
      Index const slice = i % slices, tile = 2 * (i / slices) * steps;
      tile_products<2>(steps, memory.weights + tile * tile_halves, tile_halves, steps * tile_halves,
                       memory.dy_pairs + 2 * slice * tile_halves, row_tiles * tile_halves, tile_halves);
      go_on(2 * i + 1);
      tile_products<2>(steps, memory.slopes + tile * tile_halves, tile_halves, steps * tile_halves,
                       memory.q_pairs + 2 * slice * tile_halves, row_tiles * tile_halves, tile_halves);
      go_on(2 * i + 2);
    }
    for (Index i = 0; i < steps * slices; ++i) {
      tile_products<2>(key_steps, memory.key_columns + (first * slices + i % slices) * 2 * tile_halves,
                       2 * slices * tile_halves, tile_halves, memory.slope_pairs + 2 * (i / slices) * tile_halves,
                       2 * steps * tile_halves, tile_halves);
      if (i + 1 < steps * slices) go_on(of_keys + i + 1);
    }
    end_sums<2>(now);
  }

  /// dS (without its factors) and M P of a square, in the orders that the products read.
  HONE_TARGET static void slopes(TileItem const& item, Block const& at, Memory const& memory, RowsAhead& ahead) {
    Index const next_j = at.j + 1 == at.query_steps ? 0 : at.j + 1, next_i = at.first_step + at.i + (next_j == 0 ? 1 : 0);
    if (next_i * tile_step == item.padded_keys()) {  // nothing for the tiles to do
      NextScores const none(item.slices, 0, 0, 0, memory);
      return item.dropout.active() ? slopes<true, 0>(item, at, none, memory, ahead)
                                   : slopes<false, 0>(item, at, none, memory, ahead);
    }
    NextScores const next(item.slices, next_i, next_j, 1 - at.parity, memory);
    auto const with = [&](auto slices) HONE_TARGET {
      constexpr int woven = weaves_tiles ? slices : 0;
      if (woven == 0) next.all(item.slices);
      if (item.dropout.active())
        slopes<true, woven>(item, at, next, memory, ahead);
      else
        slopes<false, woven>(item, at, next, memory, ahead);
    };
    if (item.slices == 1)
      with(std::integral_constant<int, 1>{});
    else if (item.slices == 2)
      with(std::integral_constant<int, 2>{});
    else
      with(std::integral_constant<int, 0>{});
    hide_beyond<2>(item, next_i, next.scores[0]);
  }
  /// Sixteen keys at a time, by the same instructions: all 32 written out take more than half of the cache for them.
  /// @tparam slices  of `next`; 0: nothing is to be done beside
  template <bool drops, int slices>
  HONE_TARGET static void slopes(TileItem const& item, Block const& at, NextScores const& next, Memory const& memory,
                                 RowsAhead& ahead) {
    Index const i = at.i, j = at.j;
    Vec<float> const by = splat(static_cast<float>(std::fabs(item.scale) * 1.4426950408889634));
    Words const bound = Words{} + (item.dropout.threshold << 16);
    Vec<float> low[2], less[2];
    for (int v = 0; v < 2; ++v) {
      low[v] = -load(memory.lse + j * tile_step + 16 * v);
      less[v] = load(memory.delta + j * tile_step + 16 * v);
    }
    bfloat16* const pairs = memory.slope_pairs + (i * at.query_steps + j) * 2 * tile_halves;
    // Places for the tiles' operations, of which each gets its share.
    constexpr bool woven = slices > 0;
    constexpr int of_words = drops ? MaskWords::rounds_beside : 0, of_group = of_words + 8;
    for (Index half = 0; half < 2; ++half) {
      auto const beside = [&](auto place) HONE_SIMD_INLINE {
        constexpr int operations = score_operations(slices), places = 2 * of_group;
        constexpr int first = place * operations / places, end = (place + 1) * operations / places;
        each<end - first>([&](auto n) HONE_SIMD_INLINE {
          score_operation<slices, first + n>(next.keys[half], next.queries[half], next.scores[half]);
        });
      };
      float const* const scores = memory.scores + at.parity * square + half * tile_floats;
      float const* const value_scores = memory.value_scores + at.parity * square + half * tile_floats;
      Index const rows_before = ((2 * i + half) * at.query_steps + j) * tile_halves;
      each<2, woven>([&](auto group) HONE_SIMD_INLINE {
        Words words[2][4];
        if constexpr (drops)
          MaskWords::words<2, woven>(
              *memory.mask_keys, memory.masks + 2 * j,
              static_cast<std::uint32_t>(item.head * 8192 + 4 * (at.first_step + i) + 2 * half + group), words,
              [&](auto round) HONE_SIMD_INLINE {
                if constexpr (woven) beside(std::integral_constant<int, group * of_group + round>{});
              });
        bfloat16 *const weights = memory.weights + rows_before + group * 8 * 32,
                        *const slopes = memory.slopes + rows_before + group * 8 * 32;
        each<4, woven>([&](auto w) HONE_SIMD_INLINE {
          ahead.some();
          HalfWords rows[2];
          each<2, woven>([&](auto odd) HONE_SIMD_INLINE {
            Vec<float> ds[2], kept_p[2];
            HONE_UNROLL for (int v = 0; v < 2; ++v) {
              Index const place = v * tile_step * 16 + (8 * group + 2 * w + odd) * 16;
              Vec<float> const p = exponential2(fused(load(scores + place), by, low[v]));
              Vec<float> const dp = load(value_scores + place);
              if constexpr (drops) {
                LaneMask const mask = words_at_least(odd ? words[v][w] : words[v][w] << 16, bound);
                ds[v] = p * difference_or(mask, dp, less[v], -less[v]);
                kept_p[v] = kept(mask, p);
              } else {
                ds[v] = p * (dp - less[v]);
                kept_p[v] = p;
              }
            }
            HalfWords const weight = narrow_both(kept_p[0], kept_p[1]);
            rows[odd] = narrow_both(ds[0], ds[1]);
            std::memcpy(weights + (2 * w + odd) * 32, &weight, sizeof weight);
            std::memcpy(slopes + (2 * w + odd) * 32, &rows[odd], sizeof rows[odd]);
            if constexpr (woven) beside(std::integral_constant<int, group * of_group + of_words + 2 * w + odd>{});
          });
          HalfWords const first = unpacked_low(rows[0], rows[1]), second = unpacked_high(rows[0], rows[1]);
          bfloat16* const to = pairs + (8 * half + 4 * group + w) * 32;
          std::memcpy(to, &first, sizeof first);
          std::memcpy(to + tile_halves, &second, sizeof second);
        });
      });
    }
  }
};

}  // namespace hone::detail::HONE_SIMD
