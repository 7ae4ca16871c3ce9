namespace hone::detail::HONE_SIMD {

/// One head of one sequence at a time: 32 queries against 32 keys a step, whose scores stay in the nearest cache.
///
/// Probabilities are 2^(score - reference), the reference being the first step's maximum, and a later one only where that is
/// more than 2^16 times as much; they are rounded to bfloat16 for the product with V, their sum is not. Memory of a thread:
/// (4 E + 4) bytes for each key of the longest sequence, and a constant.
template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<AttentionForward<P>> {
  HONE_TARGET static void run(HostContext& context, AttentionForward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h, bool last) HONE_TARGET {
      TileItem const item = tile_item(op, b, h);
      Index const column = h * item.width, first_query = op.query_offsets[b], first_key = op.key_offsets[b];
      auto const of = [&](auto const& m, Index first, Index rows)
                          HONE_TARGET { return m.row_block(first, rows).column_block(column, item.width); };
      head(item, of(op.q, first_query, item.queries), of(op.k, first_key, item.keys), of(op.v, first_key, item.keys),
           of(op.y, first_query, item.queries), op.lse.row_block(first_query, item.queries).column_block(h, 1), !last);
    });
  }

 private:
  static constexpr float tolerance = 16;  // powers of two by which a score may exceed the reference
  struct Memory {
    bfloat16 *keys, *values;  // of the item: rows of K; V transposed
    bfloat16* queries;        // of the block
    float *scores, *sums;     // scores of two steps; y so far, transposed
    bfloat16* weights;        // probabilities of two steps
    MaskWords::Keys* mask_keys;
  };

  HONE_TARGET static void head(TileItem const& item, Halves q, Halves k, Halves v, MatrixView<bfloat16> y,
                               MatrixView<float> lse, bool another) {
    Index const keys = item.padded_keys(), row = 32 * item.slices;
    Index const floats = keys * row + 16 * row + 3 * tile_step * tile_step + tile_step * row;
    float* next = scratch<float>(Scratch::attention, floats);
    auto const take = [&](Index count) HONE_TARGET {
      float* const piece = next;
      next += count;
      return piece;
    };
    Memory memory;
    memory.scores = take(2 * tile_step * tile_step);
    memory.weights = reinterpret_cast<bfloat16*>(take(tile_step * tile_step));
    memory.sums = take(tile_step * row);
    memory.queries = reinterpret_cast<bfloat16*>(take(16 * row));
    memory.keys = reinterpret_cast<bfloat16*>(take(keys * row / 2));
    memory.values = reinterpret_cast<bfloat16*>(take(keys * row / 2));
    MaskWords::Keys mask_keys;
    if (item.dropout.active()) MaskWords::prepare(item.dropout, static_cast<std::uint32_t>(item.example), mask_keys);
    memory.mask_keys = &mask_keys;
    TileRegion const region;
    pack_tile_rows(k, keys, item.slices, memory.keys);
    pack_tile_transposed(v, keys, item.slices, memory.values);
    for (Index first = 0; first < item.queries; first += tile_step) {
      Index const count = std::min(item.queries - first, tile_step);
      RowsAhead ahead;
      ahead.add(y, first, tile_step);
      if (another)  // the next head's columns follow
        for (Halves const& m : {q, k, v}) ahead.add(m.column_block(item.width, item.width), first, tile_step);
      ahead.share_out((count > 16 ? 8 : 4) * (keys / tile_step));
      if (count > 16)
        query_block<2>(item, first, q.row_block(first, count), memory, y.row_block(first, count),
                       lse.row_block(first, count), ahead);
      else
        query_block<1>(item, first, q.row_block(first, count), memory, y.row_block(first, count),
                       lse.row_block(first, count), ahead);
    }
  }

  template <int vectors>
  HONE_TARGET static void query_block(TileItem const& item, Index first, Halves q, Memory const& memory,
                                      MatrixView<bfloat16> y, MatrixView<float> lse, RowsAhead& ahead) {
    constexpr Index row = 16 * vectors;
    Index const slices = item.slices;
    pack_tile_columns(q, row, slices, item.scale < 0 ? 0x8000 : 0, memory.queries);
    MaskWords masks[vectors];
    if (item.dropout.active())
      for (int v = 0; v < vectors; ++v) masks[v].queries(*memory.mask_keys, static_cast<std::uint32_t>(first + 16 * v));
    Progress<vectors> now;
    now.factor = splat(static_cast<float>(std::fabs(item.scale) * 1.4426950408889634));
    std::fill(memory.sums, memory.sums + 4 * slices * tile_floats, 0.0f);
    Index const steps = item.padded_keys() / tile_step;
    step_scores<vectors>(item, 0, memory);
    for (Index step = 0; step < steps; ++step) {
      raise_reference<vectors>(item, step, now, memory);
      StepTiles tiles{slices, nullptr, memory.queries, nullptr, nullptr, memory.weights + (step + 1) % 2 * 2 * tile_halves,
                      memory.sums};
      if (step + 1 < steps) {
        tiles.keys = memory.keys + (step + 1) * tile_step * 32 * slices;
        tiles.scores = memory.scores + (step + 1) % 2 * tile_step * tile_step;
      }
      if (now.waiting) tiles.values = memory.values + (step - 1) * slices * 2 * tile_halves;
      constexpr bool weaves = weaves_tiles && vectors == 2;
      auto const with = [&](auto woven) HONE_TARGET {
        probabilities<vectors, weaves ? woven : 0>(item, step, tiles, masks, now, memory, ahead);
      };
      if (weaves && slices == 1)
        with(std::integral_constant<int, 1>{});
      else if (weaves && slices == 2)
        with(std::integral_constant<int, 2>{});
      else
        with(std::integral_constant<int, 0>{});
      if (step + 1 < steps) hide_beyond<vectors>(item, step + 1, memory);
    }
    for (Index s = 0; s < slices; ++s) add_values<vectors>(slices, steps - 1, s, memory);
    for (int v = 0; v < vectors; ++v) {
      Vec<float> const scale = static_cast<float>(item.dropout.scale()) / now.total[v];
      store_transposed<false>(memory.sums + v * tile_floats, 2 * tile_floats, slices, scale, 16 * v, y);
      Vec<float> const sum = (now.reference[v] + logarithm2(now.total[v])) * 0.693147181f;
      for (Index i = 0; i < 16 && 16 * v + i < lse.rows; ++i) lse(16 * v + i, 0) = sum[i];
    }
  }

  template <int vectors>
  struct Progress {  // of a block of queries over the keys
    Vec<float> factor, reference[vectors] = {}, total[vectors] = {};
    bool waiting = false;  // whether the step before has probabilities that are not in y's sums yet
  };

  template <int vectors>
  HONE_SIMD_INLINE static void step_scores(TileItem const& item, Index step, Memory const& memory) {
    tile_scores<vectors>(item.slices, memory.keys + step * tile_step * 32 * item.slices, memory.queries,
                         memory.scores + step % 2 * tile_step * tile_step);
    hide_beyond<vectors>(item, step, memory);
  }
  template <int vectors>
  HONE_SIMD_INLINE static void hide_beyond(TileItem const& item, Index step, Memory const& memory) {
    if (item.keys < (step + 1) * tile_step)
      hide_scores<vectors>(item.keys - step * tile_step, memory.scores + step % 2 * tile_step * tile_step);
  }
  /// y's sums of a slice: what probabilities times values are added to.
  HONE_SIMD_INLINE static TileSums sums_of(float* sums, Index slice) {
    return {sums + 4 * slice * tile_floats, 2 * tile_floats, true};
  }
  template <int vectors>
  HONE_SIMD_INLINE static void add_values(Index slices, Index step, Index slice, Memory const& memory) {
    TileSums const sums = sums_of(memory.sums, slice);
    begin_sums<vectors>(sums);
    tile_products<vectors>(1, memory.values + (step * slices + slice) * 2 * tile_halves, 0, tile_halves,
                           memory.weights + step % 2 * 2 * tile_halves, 0, tile_halves);
    end_sums<vectors>(sums);
  }

  /// Where a step's maximum is far above the reference, all that was summed is scaled to a new one.
  template <int vectors>
  HONE_SIMD_INLINE static void raise_reference(TileItem const& item, Index step, Progress<vectors>& now,
                                               Memory const& memory) {
    float const* const scores = memory.scores + step % 2 * tile_step * tile_step;
    Vec<float> highest[2 * vectors];
    HONE_UNROLL for (int v = 0; v < 2 * vectors; ++v) highest[v] = load(scores + v * tile_floats);
    HONE_UNROLL for (Index i = 16; i < tile_floats; i += 16) HONE_UNROLL for (int v = 0; v < 2 * vectors; ++v) highest[v] =
        maximum<float>(load(scores + v * tile_floats + i), highest[v]);
    HONE_UNROLL for (int v = 0; v < vectors; ++v) highest[v] =
        product(maximum<float>(highest[2 * v], highest[2 * v + 1]), now.factor);
    if (step == 0) {
      HONE_UNROLL for (int v = 0; v < vectors; ++v) now.reference[v] = highest[v];
      return;
    }
    LaneMask above = 0;
    HONE_UNROLL for (int v = 0; v < vectors; ++v) above |= lanes_above(highest[v], now.reference[v] + tolerance);
    if (above) raise<vectors>(item, step, highest, now, memory);
  }
  template <int vectors>
  HONE_TARGET static void raise(TileItem const& item, Index step, Vec<float> const* highest, Progress<vectors>& now,
                                Memory const& memory) {
    if (now.waiting)
      for (Index s = 0; s < item.slices; ++s) add_values<vectors>(item.slices, step - 1, s, memory);
    now.waiting = false;
    for (int v = 0; v < vectors; ++v) {
      Vec<float> const raised = maximum<float>(highest[v], now.reference[v]);
      Vec<float> const factor = exponential2(now.reference[v] - raised);
      now.reference[v] = raised;
      now.total[v] = product(now.total[v], factor);
      for (Index t = 0; t < 2 * item.slices; ++t)
        for (Index i = 0; i < tile_floats; i += 16) {
          float* const place = memory.sums + (2 * t + v) * tile_floats + i;
          store<float>(place, load(place) * factor);
        }
    }
  }

  /// What the tiles do during a step: the next step's scores, and the product of the last step's probabilities with values.
  /// With 32 queries one operation at a time, for between the vector instructions: some 20 of those run beside each, but
  /// what stands behind several operations in a row waits for them.
  struct StepTiles {
    Index slices;
    bfloat16 const *keys, *queries;
    float* scores;                     // null: there is no next step
    bfloat16 const *values, *weights;  // null: no last step
    float* sums;

    static constexpr int of_values = 4 + block_operations + 4;  // operations of a slice
    static constexpr int operations(int of_slices) { return score_operations(of_slices) + of_slices * of_values; }

    template <int of_slices, int operation>
    HONE_SIMD_INLINE void run() const {
      if constexpr (operation < score_operations(of_slices)) {
        if (scores) score_operation<of_slices, operation>(keys, queries, scores);
      } else {
        if (!values) return;
        constexpr int from = operation - score_operations(of_slices), within = from % of_values;
        constexpr Index slice = from / of_values;
        TileSums const to = sums_of(sums, slice);
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
  };

  /// Scores of a step become probabilities, pairs of keys interleaved: a tile a vector.
  /// @tparam slices  of the head, whose tiles' work is done in between; 0: it is done before
  template <int vectors, int slices>
  HONE_TARGET static void probabilities(TileItem const& item, Index step, StepTiles const& tiles,
                                        MaskWords const (&masks)[vectors], Progress<vectors>& now, Memory const& memory,
                                        RowsAhead& ahead) {
    if constexpr (slices == 0) {
      if (tiles.scores) tile_scores<vectors>(tiles.slices, tiles.keys, tiles.queries, tiles.scores);
      for (Index s = 0; tiles.values && s < tiles.slices; ++s) add_values<vectors>(tiles.slices, step - 1, s, memory);
    }
    if (item.dropout.active())
      probabilities<vectors, slices, true>(item, step, tiles, masks, now, memory, ahead);
    else
      probabilities<vectors, slices, false>(item, step, tiles, masks, now, memory, ahead);
  }
  template <int vectors, int slices, bool drops>
  HONE_SIMD_INLINE static void probabilities(TileItem const& item, Index step, StepTiles const& tiles,
                                             MaskWords const (&masks)[vectors], Progress<vectors>& now, Memory const& memory,
                                             RowsAhead& ahead) {
    Vec<float> const by = now.factor;
    HalfWords const pairs = pairing();
    Words const bound = Words{} + item.dropout.threshold * 0x10001u;
    std::uint32_t const block = static_cast<std::uint32_t>(item.head * 8192 + 4 * step);
    float const* const scores = memory.scores + step % 2 * tile_step * tile_step;
    bfloat16* const weights = memory.weights + step % 2 * 2 * tile_halves;
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
            *memory.mask_keys, masks, block + static_cast<std::uint32_t>(group), words, [&](auto round) HONE_SIMD_INLINE {
              if constexpr (woven) beside(std::integral_constant<int, group * of_group + round>{});
            });
      each<vectors, woven>([&](auto v) HONE_SIMD_INLINE {
        Vec<float> const low = -now.reference[v];
        float const* const from = scores + (2 * v * 16 + 8 * group) * 16;
        bfloat16* const to = weights + v * tile_halves + group * 4 * 32;
        Vec<float> sums{};
        ahead.some();
        each<4, woven>([&](auto w) HONE_SIMD_INLINE {
          Vec<float> const even = exponential2(fused(load(from + 32 * w), by, low));
          Vec<float> const odd = exponential2(fused(load(from + 32 * w + 16), by, low));
          sums = w == 0 ? even + odd : sums + (even + odd);
          HalfWords const both = narrow_both(even, odd);
          HalfWords p;
          if constexpr (drops)
            p = permuted_kept(halves_at_least(words[v][w], bound), both, pairs);
          else
            p = permuted(both, pairs);
          std::memcpy(to + 32 * w, &p, sizeof p);
          if constexpr (woven) beside(std::integral_constant<int, group * of_group + of_words + 4 * v + w>{});
        });
        now.total[v] += sums;
      });
    });
    now.waiting = true;
  }
};

}  // namespace hone::detail::HONE_SIMD
