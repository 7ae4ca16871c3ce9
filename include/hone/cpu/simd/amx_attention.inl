namespace hone::detail::HONE_SIMD {

/// One head of one sequence at a time: 32 queries against 32 keys a step, whose scores stay in the nearest cache.
///
/// Probabilities are 2^(score - reference), the reference being the first step's maximum, and a later one only where a
/// step's probabilities would add up to more than 2^16; they are rounded to bfloat16 for the product with V, their sum is
/// not. Blocks of queries follow each other without a break: the tiles do the last product of one and the first scores of
/// the next beside the vector work. Memory of a thread: 4 E bytes for each key of the longest sequence, and a constant.
template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<AttentionForward<P>> {
  HONE_TARGET static void run(HostContext& context, AttentionForward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      TileItem const item = tile_item(op, b, h);
      Index const column = h * item.width, first_query = op.query_offsets[b], first_key = op.key_offsets[b];
      auto const of = [&](auto const& m, Index first, Index rows)
                          HONE_TARGET { return m.row_block(first, rows).column_block(column, item.width); };
      Rows const rows{of(op.q, first_query, item.queries),
                      of(op.k, first_key, item.keys),
                      of(op.v, first_key, item.keys),
                      of(op.y, first_query, item.queries),
                      op.lse.row_block(first_query, item.queries).column_block(h, 1),
                      !last};
      head(item, rows);
    });
  }

 private:
  static constexpr float most_in_a_step = 65536;  // sum of a step's probabilities
  struct Memory {
    bfloat16 *keys, *values;  // of the item: rows of K; V transposed
    bfloat16* queries[2];     // of this block of queries and of the next
    float *scores[2];         // of this step and of the next
    bfloat16* weights[2];     // probabilities of this step and of the last
    float* sums[2];           // y so far, transposed, of this block and of the last
    MaskWords::Keys* mask_keys;
  };
  /// Rows of one head.
  struct Rows {
    Halves q, k, v;
    MatrixView<bfloat16> y;
    MatrixView<float> lse;
    bool another;  // the next head's columns follow
  };
  template <int vectors>
  struct Progress {  // of a block of queries over the keys
    Index first;     // query
    Vec<float> reference[vectors], total[vectors];
  };

  HONE_TARGET static void head(TileItem const& item, Rows const& rows) {
    Index const keys = item.padded_keys(), row = 32 * item.slices;
    ScratchPieces pieces{scratch<float>(Scratch::attention, attention_forward_floats(keys, item.slices))};
    Memory memory;
    for (int i = 0; i < 2; ++i) {
      memory.scores[i] = pieces.take(tile_step * tile_step);
      memory.weights[i] = pieces.take_halves(tile_step * tile_step);
      memory.sums[i] = pieces.take(tile_step * row);
      memory.queries[i] = pieces.take_halves(tile_step * row);
    }
    memory.keys = pieces.take_halves(keys * row);
    memory.values = pieces.take_halves(keys * row);
    MaskWords::Keys mask_keys;
    if (item.dropout.active()) MaskWords::prepare(item.dropout, static_cast<std::uint32_t>(item.example), mask_keys);
    memory.mask_keys = &mask_keys;
    TileRegion const region;
    pack_tile_rows(rows.k, keys, item.slices, memory.keys);
    pack_tile_transposed(rows.v, keys, item.slices, memory.values);
    // The last 16 queries or fewer by themselves: half of a step's work.
    Index const left = item.queries % tile_step, whole = left > 16 ? item.queries : item.queries - left;
    query_blocks<2>(item, 0, whole, rows, memory);
    query_blocks<1>(item, whole, item.queries, rows, memory);
  }

  /// Queries begin .. end - 1, 16 * vectors at a time.
  template <int vectors>
  HONE_TARGET static void query_blocks(TileItem const& item, Index begin, Index end, Rows const& rows,
                                       Memory const& memory) {
    constexpr Index width = 16 * vectors;
    Index const slices = item.slices, steps = item.padded_keys() / tile_step;
    if (begin >= end || steps == 0) return;
    auto const pack = [&](Index first, int block) HONE_TARGET {
      pack_tile_columns(rows.q.row_block(first, std::min(end - first, width)), width, slices, item.scale < 0 ? 0x8000 : 0,
                        memory.queries[block]);
    };
    auto const keys_of = [&](Index step) HONE_TARGET { return memory.keys + step * tile_step * 32 * slices; };
    auto const values_of = [&](Index step) HONE_TARGET { return memory.values + step * slices * 2 * tile_halves; };
    Vec<float> const factor = splat(static_cast<float>(std::fabs(item.scale) * 1.4426950408889634));
    Progress<vectors> now{}, before{};
    int block = 0, turn = 0;  // which of two is this block's, this step's
    pack(begin, block);
    tile_scores<vectors>(slices, keys_of(0), memory.queries[block], memory.scores[turn]);
    hide_beyond<vectors>(item, 0, memory.scores[turn]);
    for (Index first = begin; first < end; first += width, block = 1 - block) {
      Index const next = first + width;
      if (next < end) pack(next, 1 - block);
      MaskWords masks[vectors];
      if (item.dropout.active())
        for (int v = 0; v < vectors; ++v) masks[v].queries(*memory.mask_keys, static_cast<std::uint32_t>(first + 16 * v));
      RowsAhead ahead;
      ahead.add(rows.y, first, width);
      if (rows.another)
        for (Halves const& m : {rows.q, rows.k, rows.v}) ahead.add(m.column_block(item.width, item.width), first, width);
      ahead.share_out(4 * vectors * steps);
      now.first = first;
      for (Index step = 0; step < steps; ++step, turn = 1 - turn) {
        if (step == 0) highest_scores<vectors>(factor, memory.scores[turn], now.reference);
        StepTiles tiles{slices, nullptr, nullptr, nullptr, nullptr, memory.weights[1 - turn], {}};
        Index const next_step = step + 1 < steps ? step + 1 : 0;
        if (next_step > 0 || next < end) {
          tiles.keys = keys_of(next_step);
          tiles.queries = memory.queries[next_step > 0 ? block : 1 - block];
          tiles.scores = memory.scores[1 - turn];
        }
        if (step > 0) {
          tiles.values = values_of(step - 1);
          tiles.sums = {memory.sums[block], step > 1};
        } else if (first > begin) {
          tiles.values = values_of(steps - 1);
          tiles.sums = {memory.sums[1 - block], steps > 1};
        }
        Step const at{static_cast<std::uint32_t>(item.head * 8192 + 4 * step), memory.scores[turn], memory.weights[turn]};
        Vec<float> sums[vectors];
        probabilities<vectors>(item, at, tiles, masks, factor, now.reference, sums, memory, ahead);
        if (tiles.scores) hide_beyond<vectors>(item, next_step, tiles.scores);
        if (step == 0) {
          if (first > begin) finish<vectors>(item, before, rows, memory.sums[1 - block]);
          HONE_UNROLL for (int v = 0; v < vectors; ++v) now.total[v] = sums[v];
          continue;
        }
        if (!within_bounds<vectors>(sums)) [[unlikely]] {
          raise<vectors>(slices, factor, at.scores, now, memory.sums[block]);
          StepTiles const none{slices, nullptr, nullptr, nullptr, nullptr, nullptr, {}};
          probabilities<vectors>(item, at, none, masks, factor, now.reference, sums, memory, ahead);
        }
        HONE_UNROLL for (int v = 0; v < vectors; ++v) now.total[v] += sums[v];
      }
      before = now;
    }
    StepTiles const last{slices, nullptr, nullptr, nullptr, values_of(steps - 1), memory.weights[1 - turn],
                         {memory.sums[1 - block], steps > 1}};
    for (Index s = 0; s < slices; ++s) last.template add_values<vectors>(s);
    finish<vectors>(item, before, rows, memory.sums[1 - block]);
  }

  /// y and lse of a block.
  template <int vectors>
  HONE_TARGET static void finish(TileItem const& item, Progress<vectors> const& block, Rows const& rows, float const* sums) {
    Index const count = std::min<Index>(16 * vectors, rows.y.rows - block.first);
    auto const y = rows.y.row_block(block.first, count);
    auto const lse = rows.lse.row_block(block.first, count);
    for (int v = 0; v < vectors; ++v) {
      Vec<float> const scale = static_cast<float>(item.dropout.scale()) / block.total[v];
      store_transposed<false>(sums + v * tile_floats, 2 * tile_floats, item.slices, scale, 16 * v, y);
      Vec<float> const sum = (block.reference[v] + logarithm2(block.total[v])) * 0.693147181f;
      for (Index i = 0; i < 16 && 16 * v + i < count; ++i) lse(16 * v + i, 0) = sum[i];
    }
  }

  /// The highest of a step's scores, in powers of two.
  template <int vectors>
  HONE_SIMD_INLINE static void highest_scores(Vec<float> factor, float const* scores, Vec<float> (&to)[vectors]) {
    Vec<float> highest[2 * vectors];
    HONE_UNROLL for (int v = 0; v < 2 * vectors; ++v) highest[v] = load(scores + v * tile_floats);
    HONE_UNROLL for (Index i = 16; i < tile_floats; i += 16) HONE_UNROLL for (int v = 0; v < 2 * vectors; ++v) highest[v] =
        maximum<float>(load(scores + v * tile_floats + i), highest[v]);
    HONE_UNROLL for (int v = 0; v < vectors; ++v) to[v] =
        product(maximum<float>(highest[2 * v], highest[2 * v + 1]), factor);
  }

  /// Whether a step's probabilities may stay; what is not a number may not.
  template <int vectors>
  HONE_SIMD_INLINE static bool within_bounds(Vec<float> const (&sums)[vectors]) {
    LaneMask within = (LaneMask{1} << lanes<float>) - 1;
    HONE_UNROLL for (int v = 0; v < vectors; ++v) within &= lanes_above(splat(most_in_a_step), sums[v]);
    return within == (LaneMask{1} << lanes<float>) - 1;
  }
  /// All that was summed before a step is scaled to a reference that is at least the step's highest score.
  template <int vectors>
  HONE_TARGET static void raise(Index slices, Vec<float> by, float const* scores, Progress<vectors>& now, float* sums) {
    Vec<float> highest[vectors];
    highest_scores<vectors>(by, scores, highest);
    for (int v = 0; v < vectors; ++v) {
      Vec<float> const raised = maximum<float>(highest[v], now.reference[v]);
      Vec<float> const factor = exponential2(now.reference[v] - raised);
      now.reference[v] = raised;
      now.total[v] = product(now.total[v], factor);
      for (Index t = 0; t < 2 * slices; ++t)
        for (Index i = 0; i < tile_floats; i += 16) {
          float* const place = sums + (2 * t + v) * tile_floats + i;
          store<float>(place, load(place) * factor);
        }
    }
  }

  struct Step {
    std::uint32_t mask_block;  // of its first eight keys
    float const* scores;
    bfloat16* weights;
  };

  /// What the tiles do during a step: the next step's scores, and the product of the last step's probabilities with values.
  /// With 32 queries one operation at a time, for between the vector instructions: some 20 of those run beside each, but
  /// what stands behind several operations in a row waits for them.
  struct StepTiles {
    Index slices;
    bfloat16 const *keys, *queries;
    float* scores;                     // null: there is no next step
    bfloat16 const *values, *weights;  // null: no last step
    struct Sums {
      float* data;
      bool adds;
    } sums;

    static constexpr int of_values = 4 + block_operations + 4;  // operations of a slice
    static constexpr int operations(int of_slices) { return score_operations(of_slices) + of_slices * of_values; }

    HONE_SIMD_INLINE TileSums sums_of(Index slice) const {
      return {sums.data + 4 * slice * tile_floats, 2 * tile_floats, sums.adds};
    }
    template <int of_slices, int operation>
    HONE_SIMD_INLINE void run() const {
      if constexpr (operation < score_operations(of_slices)) {
        if (scores) score_operation<of_slices, operation>(keys, queries, scores);
      } else {
        if (!values) return;
        constexpr int from = operation - score_operations(of_slices), within = from % of_values;
        constexpr Index slice = from / of_values;
        TileSums const to = sums_of(slice);
        if constexpr (within < 4) {
          load_sums<within>(to);
        } else if constexpr (within < 4 + block_operations) {
          block_operation<within - 4>(values + slice * 2 * tile_halves, tile_halves, weights, tile_halves);
        } else {
          constexpr int tile = within - 4 - block_operations;
          tile_store<tile>(to.tile(tile), 64);
        }
      }
    }
    template <int vectors>
    HONE_SIMD_INLINE void add_values(Index slice) const {
      TileSums const to = sums_of(slice);
      begin_sums<vectors>(to);
      tile_products<vectors>(1, values + slice * 2 * tile_halves, 0, tile_halves, weights, 0, tile_halves);
      end_sums<vectors>(to);
    }
    template <int vectors>
    HONE_TARGET void run_all() const {
      if (scores) tile_scores<vectors>(slices, keys, queries, scores);
      for (Index s = 0; values && s < slices; ++s) add_values<vectors>(s);
    }
  };

  /// Scores of a step become probabilities, pairs of keys interleaved, a tile a vector; `sums` those of each query.
  template <int vectors>
  HONE_TARGET static void probabilities(TileItem const& item, Step const& at, StepTiles const& tiles,
                                        MaskWords const (&masks)[vectors], Vec<float> factor,
                                        Vec<float> const (&reference)[vectors], Vec<float> (&sums)[vectors],
                                        Memory const& memory, RowsAhead& ahead) {
    auto const with = [&](auto woven) HONE_TARGET {
      std::uint32_t const threshold = item.dropout.threshold;
      if (item.dropout.active())
        probabilities<vectors, woven, true>(at, tiles, masks, threshold, factor, reference, sums, memory, ahead);
      else
        probabilities<vectors, woven, false>(at, tiles, masks, threshold, factor, reference, sums, memory, ahead);
    };
    if constexpr (weaves_tiles && vectors == 2) {
      if (item.slices == 1) return with(std::integral_constant<int, 1>{});
      if (item.slices == 2) return with(std::integral_constant<int, 2>{});
    }
    tiles.template run_all<vectors>();
    with(std::integral_constant<int, 0>{});
  }
  /// @tparam slices  of the head, whose tiles' work is done in between; 0: nothing is
  template <int vectors, int slices, bool drops>
  HONE_TARGET static void probabilities(Step const& at, StepTiles const& tiles, MaskWords const (&masks)[vectors],
                                        std::uint32_t threshold, Vec<float> factor, Vec<float> const (&reference)[vectors],
                                        Vec<float> (&sums)[vectors], Memory const& memory, RowsAhead& ahead) {
    HalfWords const pairs = pairing();
    Words const bound = Words{} + threshold * 0x10001u;
    // Places for the tiles' operations, of which each gets its share.
    constexpr bool woven = slices > 0;
    constexpr int of_words = drops ? MaskWords::rounds_beside : 0, of_group = of_words + 4 * vectors;
    auto const beside = [&](auto place) HONE_SIMD_INLINE {
      constexpr int operations = StepTiles::operations(slices), places = 4 * of_group;
      constexpr int first = place * operations / places, end = (place + 1) * operations / places;
      each<end - first>([&](auto i) HONE_SIMD_INLINE { tiles.template run<slices, first + i>(); });
    };
    each<4, woven>([&](auto group) HONE_SIMD_INLINE {
      Words words[vectors][4];
      if constexpr (drops)
        MaskWords::words<vectors, woven>(
            *memory.mask_keys, masks, at.mask_block + static_cast<std::uint32_t>(group), words,
            [&](auto round) HONE_SIMD_INLINE {
              if constexpr (woven) beside(std::integral_constant<int, group * of_group + round>{});
            });
      each<vectors, woven>([&](auto v) HONE_SIMD_INLINE {
        Vec<float> const low = -reference[v];
        float const* const from = at.scores + (2 * v * 16 + 8 * group) * 16;
        bfloat16* const to = at.weights + v * tile_halves + group * 4 * 32;
        Vec<float> of_eight{};
        ahead.some();
        each<4, woven>([&](auto w) HONE_SIMD_INLINE {
          Vec<float> const even = exponential2(fused(load(from + 32 * w), factor, low));
          Vec<float> const odd = exponential2(fused(load(from + 32 * w + 16), factor, low));
          of_eight = w == 0 ? even + odd : of_eight + (even + odd);
          HalfWords const both = narrow_both(even, odd);
          HalfWords p;
          if constexpr (drops)
            p = permuted_kept(halves_at_least(words[v][w], bound), both, pairs);
          else
            p = permuted(both, pairs);
          std::memcpy(to + 32 * w, &p, sizeof p);
          if constexpr (woven) beside(std::integral_constant<int, group * of_group + of_words + 4 * v + w>{});
        });
        sums[v] = group == 0 ? of_eight : sums[v] + of_eight;
      });
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
