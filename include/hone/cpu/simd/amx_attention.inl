namespace hone::detail::HONE_SIMD {

/// One head of one sequence at a time: 32 queries against up to 256 keys, whose scores stay in the nearest cache.
///
/// Probabilities are 2^(score - reference), the reference being the first keys' maximum, and a later one only where that is
/// more than 2^8 times as much; they are rounded to bfloat16 for the product with V, their sum is not. Memory of a thread:
/// (4 E + 4) bytes for each key of the longest sequence, and a constant.
template <>
struct Kernel<AttentionForward<mixed>> {
  HONE_TARGET static void run(HostContext& context, AttentionForward<mixed> const& op) {
    for_attention_items(context, op.query_offsets, op.key_offsets, op.heads, [&](Index b, Index h) HONE_TARGET {
      TileItem const item = tile_item(op, b, h);
      Index const column = h * item.width, first_query = op.query_offsets[b], first_key = op.key_offsets[b];
      auto const of = [&](auto const& m, Index first, Index rows) HONE_TARGET {
        return m.row_block(first, rows).column_block(column, item.width);
      };
      head(item, of(op.q, first_query, item.queries), of(op.k, first_key, item.keys), of(op.v, first_key, item.keys),
           of(op.y, first_query, item.queries), op.lse.row_block(first_query, item.queries).column_block(h, 1));
    });
  }

 private:
  static constexpr Index key_block = 256;
  struct Memory {
    bfloat16 *keys, *values;      // of the item: rows of K; V transposed
    bfloat16* queries;            // of the block
    float *scores, *sums;         // scores [key][query], then probabilities in their place; y transposed
    MaskWords::Keys* mask_keys;
  };

  HONE_TARGET static void head(TileItem const& item, Halves q, Halves k, Halves v, MatrixView<bfloat16> y,
                               MatrixView<float> lse) {
    Index const keys = item.padded_keys(), row = 32 * item.slices;
    Index const floats = keys * row + 16 * row + key_block * tile_step + tile_step * row;
    float* next = scratch<float>(Scratch::attention, floats);
    auto const take = [&](Index count) HONE_TARGET {
      float* const piece = next;
      next += count;
      return piece;
    };
    Memory memory;
    memory.scores = take(key_block * tile_step);
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
      if (count > 16)
        query_block<2>(item, first, q.row_block(first, count), memory, y.row_block(first, count), lse.row_block(first, count));
      else
        query_block<1>(item, first, q.row_block(first, count), memory, y.row_block(first, count), lse.row_block(first, count));
    }
  }

  template <int vectors>
  HONE_TARGET static void query_block(TileItem const& item, Index first, Halves q, Memory const& memory,
                                      MatrixView<bfloat16> y, MatrixView<float> lse) {
    constexpr Index row = 16 * vectors;
    Index const slices = item.slices;
    pack_tile_columns(q, row, slices, item.scale < 0 ? 0x8000 : 0, memory.queries);
    MaskWords masks[vectors];
    if (item.dropout.active())
      for (int v = 0; v < vectors; ++v) masks[v].queries(*memory.mask_keys, static_cast<std::uint32_t>(first + 16 * v));
    float const factor = static_cast<float>(std::fabs(item.scale) * 1.4426950408889634);
    Vec<float> reference[vectors], total[vectors];
    for (Index from = 0; from < item.keys; from += key_block) {
      Index const steps = (std::min(item.keys - from, key_block) + tile_step - 1) / tile_step;
      Vec<float> highest[vectors];
      for (Vec<float>& h : highest) h = splat(-std::numeric_limits<float>::infinity());
      for (Index s = 0; s < steps; ++s) {
        float* const scores = memory.scores + s * tile_step * row;
        tile_scores<vectors>(slices, memory.keys + (from + s * tile_step) * 32 * slices, memory.queries, scores);
        hide_scores<vectors>(std::min(item.keys - from - s * tile_step, tile_step), scores);
        for (Index i = 0; i < tile_step * 16; i += 16)
          HONE_UNROLL for (int v = 0; v < vectors; ++v) highest[v] =
              larger(load(scores + v * tile_step * 16 + i), highest[v]);
      }
      HONE_UNROLL for (int v = 0; v < vectors; ++v) {
        highest[v] = highest[v] * factor;
        if (from == 0) {
          reference[v] = highest[v];
          total[v] = Vec<float>{};
        } else {
          raise(highest[v], reference[v], total[v], slices, memory.sums + v * tile_floats);
        }
      }
      probabilities<vectors>(item, from, steps, factor, reference, total, masks, memory);
      for (Index s = 0; s < slices; ++s)
        tile_products<vectors>(steps, memory.values + (from * slices / 16 + 2 * s) * tile_halves, 2 * slices * tile_halves,
                               tile_halves, probability_tiles(memory), vectors * tile_halves, tile_halves, from > 0,
                               memory.sums + 4 * s * tile_floats, 2 * tile_floats);
    }
    for (int v = 0; v < vectors; ++v) {
      Vec<float> const scale = static_cast<float>(item.dropout.scale()) / total[v];
      store_transposed<false>(memory.sums + v * tile_floats, 2 * tile_floats, slices, scale, 16 * v, y);
      Vec<float> const sum = (reference[v] + logarithm2(total[v])) * 0.693147181f;
      for (Index i = 0; i < 16 && 16 * v + i < lse.rows; ++i) lse(16 * v + i, 0) = sum[i];
    }
  }

  static bfloat16* probability_tiles(Memory const& memory) { return reinterpret_cast<bfloat16*>(memory.scores); }

  /// Where a later maximum is far above the reference, all that was summed is scaled to it.
  HONE_TARGET static void raise(Vec<float> highest, Vec<float>& reference, Vec<float>& total, Index slices, float* sums) {
    bool any = false;
    for (int i = 0; i < lanes<float>; ++i) any |= highest[i] > reference[i] + 8.0f;
    if (!any) return;
    Vec<float> const raised = larger(highest, reference), factor = exponential2(reference - raised);
    reference = raised;
    total = total * factor;
    for (Index t = 0; t < 2 * slices; ++t)
      for (Index i = 0; i < tile_floats; i += 16) {
        float* const place = sums + t * 2 * tile_floats + i;
        store<float>(place, load(place) * factor);
      }
  }

  /// Scores become probabilities, pairs of keys interleaved: tiles [step][vector] in the place of the scores.
  template <int vectors>
  HONE_TARGET static void probabilities(TileItem const& item, Index from, Index steps, float factor,
                                        Vec<float> const (&reference)[vectors], Vec<float> (&total)[vectors],
                                        MaskWords const (&masks)[vectors], Memory const& memory) {
    Vec<float> const by = splat(factor);
    HalfWords const pairs = pairing();
    Words const bound = Words{} + item.dropout.threshold * 0x10001u;
    std::uint32_t const block = static_cast<std::uint32_t>(item.head * 8192 + from / 8);
    bool const drops = item.dropout.active();
    for (Index step = 0; step < steps; ++step)
      HONE_UNROLL for (int v = 0; v < vectors; ++v) {
        Index const tile = step * vectors + v;
        float const* scores = memory.scores + tile * 2 * tile_floats;
        bfloat16* to = probability_tiles(memory) + tile * tile_halves;
        Vec<float> const low = -reference[v];
        for (std::uint32_t group = 0; group < 4; ++group, scores += 8 * 16, to += 4 * 32) {
          Words words[4];
          if (drops) masks[v].words(*memory.mask_keys, block + static_cast<std::uint32_t>(4 * step) + group, words);
          HONE_UNROLL for (int w = 0; w < 4; ++w) {
            Vec<float> const even = exponential2(fused(load(scores + 32 * w), by, low));
            Vec<float> const odd = exponential2(fused(load(scores + 32 * w + 16), by, low));
            total[v] += even + odd;
            HalfWords const both = narrow_both(even, odd);
            HalfWords const p = drops ? permuted_kept(halves_at_least(words[w], bound), both, pairs) : permuted(both, pairs);
            std::memcpy(to + 32 * w, &p, sizeof p);
          }
        }
      }
  }
};

}  // namespace hone::detail::HONE_SIMD
